// Reads a JSON document key by key and collects everything that is wrong with it.
//
// Every problem is "PATH: expected ..., found ...", PATH as in `apps.app.compose.port`. A key that
// was not asked for is a problem too, found when its Section ends. Used by config.cpp alone; never
// throws, never stops at the first problem.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bluegreen::detail {

struct Problems {
  std::vector<std::string> lines;
  void add(const std::string& path, const std::string& what);
};

// The value as it stands in the document, cut to a line.
std::string shown(const nlohmann::json& value);

// One object of the document. The setters leave `to` alone when the key is absent.
class Section {
 public:
  Section(Problems& problems, const nlohmann::json* object, std::string path);
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section();  // reports what was not asked for

  bool here() const { return object_ != nullptr; }
  std::string path_of(const std::string& key) const;
  void wrong(const std::string& key, const std::string& expected);
  void require(const std::string& key, const std::string& expected);

  // Null when absent; a value that is no object is reported and null.
  const nlohmann::json* object(const std::string& key);
  // Reads each object of a list of at most `most`, as KEY[0] and so on. What is no such list is
  // reported as not `expected`; an entry that is no object, as not `entry`.
  void objects(const std::string& key, std::size_t most, const std::string& expected,
               const std::string& entry, const std::function<void(Section&)>& read);
  const nlohmann::json* any(const std::string& key);

  void text(const std::string& key, std::string& to);
  void absolute_path(const std::string& key, std::string& to);
  void number(const std::string& key, std::uint32_t& to, std::uint32_t least, std::uint32_t most);
  void port(const std::string& key, std::uint16_t& to);
  void duration(const std::string& key, std::chrono::milliseconds& to,
                std::chrono::milliseconds least, std::chrono::milliseconds most);
  void words(const std::string& key, std::vector<std::string>& to);
  void text_map(const std::string& key, std::map<std::string, std::string>& to);
  // Begins with one of `first`; every character is one of `first` or `others`.
  void name(const std::string& key, std::string& to, std::string_view first,
            std::string_view others, const std::string& expected);

  Problems& problems() { return problems_; }

 private:
  Problems& problems_;
  const nlohmann::json* object_;
  std::string path_;
  std::vector<std::string> asked_;
};

}  // namespace bluegreen::detail
