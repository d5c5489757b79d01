// Cuts a stream of JSON objects, as the Engine's pull and events send them, into whole objects,
// however the chunks fall. Pure; a stream that is no such thing is an error and stays one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bluegreen {

class JsonStream {
 public:
  // The objects that are complete now, each as its text.
  std::vector<std::string> feed(std::string_view chunk);

  // Something other than objects and white space came, or an object beyond 1 MiB.
  [[nodiscard]] bool broken() const { return broken_; }
  // The stream ended inside an object.
  [[nodiscard]] bool incomplete() const { return depth_ > 0; }

 private:
  void take(char c, std::vector<std::string>& out);

  std::string object_;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool broken_ = false;
};

}  // namespace bluegreen
