// See checker.hpp.
#include "controller/config/checker.hpp"

#include <algorithm>

#include "controller/config/duration.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen::detail {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

std::string as_text(milliseconds time) {
  const auto ms = time.count();
  return ms % 3'600'000 == 0 && ms != 0 ? std::to_string(ms / 3'600'000) + "h"
         : ms % 1000 == 0               ? std::to_string(ms / 1000) + "s"
                                        : std::to_string(ms) + "ms";
}

bool is_variable_name(const std::string& text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&letter](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

void Problems::add(const std::string& path, const std::string& what) {
  lines.push_back((path.empty() ? std::string("the document") : path) + ": " + what);
}

std::string shown(const json& value) {
  constexpr std::size_t kLongest = 60;
  const std::string text = printable(value.dump(-1, ' ', false, json::error_handler_t::replace));
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

Section::Section(Problems& problems, const json* object, std::string path)
    : problems_(problems), object_(object), path_(std::move(path)) {}

Section::~Section() {
  if (object_ == nullptr) {
    return;
  }
  for (const auto& [key, value] : object_->items()) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      std::string known;
      for (const std::string& name : asked_) {
        known += (known.empty() ? "" : ", ") + name;
      }
      problems_.add(path_of(printable(key)), "unknown key, expected one of " + known);
    }
  }
}

std::string Section::path_of(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void Section::wrong(const std::string& key, const std::string& expected) {
  const json* value = any(key);
  problems_.add(path_of(key),
                "expected " + expected + ", found " + (value ? shown(*value) : "nothing"));
}

void Section::require(const std::string& key, const std::string& expected) {
  if (here() && any(key) == nullptr) {
    problems_.add(path_of(key), "required: expected " + expected + ", found nothing");
  }
}

void Section::objects(const std::string& key, std::size_t most, const std::string& expected,
                      const std::string& entry, const std::function<void(Section&)>& read) {
  const json* list = any(key);
  if (list == nullptr) {
    return;
  }
  if (!list->is_array() || list->size() > most) {
    wrong(key, expected);
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json& item = (*list)[i];
    const std::string path = path_of(key) + "[" + std::to_string(i) + "]";
    if (!item.is_object()) {
      problems_.add(path, "expected " + entry + ", found " + shown(item));
      continue;
    }
    Section section(problems_, &item, path);
    read(section);
  }
}

const json* Section::any(const std::string& key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
    asked_.push_back(key);
  }
  if (object_ == nullptr) {
    return nullptr;
  }
  const auto found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

const json* Section::object(const std::string& key) {
  const json* value = any(key);
  if (value != nullptr && !value->is_object()) {
    wrong(key, "an object");
    return nullptr;
  }
  return value;
}

void Section::text(const std::string& key, std::string& to) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  if (!value->is_string() || value->get_ref<const std::string&>().empty() ||
      value->get_ref<const std::string&>().find('\0') != std::string::npos) {
    return wrong(key, "a text that is not empty");
  }
  to = value->get<std::string>();
}

void Section::absolute_path(const std::string& key, std::string& to) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  if (!value->is_string() || value->get_ref<const std::string&>().substr(0, 1) != "/" ||
      value->get_ref<const std::string&>().find('\0') != std::string::npos) {
    return wrong(key, "an absolute path");
  }
  to = value->get<std::string>();
}

void Section::number(const std::string& key, std::uint32_t& to, std::uint32_t least,
                     std::uint32_t most) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  if (!value->is_number_integer() || *value < least || *value > most) {
    return wrong(key,
                 "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  to = value->get<std::uint32_t>();
}

void Section::port(const std::string& key, std::uint16_t& to) {
  std::uint32_t port = to;
  number(key, port, 1, 65535);
  to = static_cast<std::uint16_t>(port);
}

void Section::duration(const std::string& key, milliseconds& to, milliseconds least,
                       milliseconds most) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  const auto time =
      value->is_string() ? parse_duration(value->get_ref<const std::string&>()) : std::nullopt;
  if (!time || *time < least || *time > most) {
    return wrong(key, "a duration from \"" + as_text(least) + "\" to \"" + as_text(most) +
                          "\", as in \"30s\", \"10m\" or \"500ms\"");
  }
  to = *time;
}

void Section::words(const std::string& key, std::vector<std::string>& to) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  const auto is_word = [](const json& word) {
    return word.is_string() && word.get_ref<const std::string&>().find('\0') == std::string::npos;
  };
  if (!value->is_array() || value->empty() || !std::all_of(value->begin(), value->end(), is_word) ||
      value->front().get_ref<const std::string&>().empty()) {
    return wrong(key, "a list of texts, the program first");
  }
  to = value->get<std::vector<std::string>>();
}

void Section::text_map(const std::string& key, std::map<std::string, std::string>& to) {
  const json* value = object(key);
  if (value == nullptr) {
    return;
  }
  for (const auto& [name, text] : value->items()) {
    const std::string path = path_of(key) + "." + printable(name);
    if (!is_variable_name(name)) {
      problems_.add(path, "expected a variable name (letters, digits, '_'), found \"" +
                              printable(name) + "\"");
    } else if (!text.is_string()) {
      problems_.add(path, "expected a text, found " + shown(text));
    } else {
      to[name] = text.get<std::string>();
    }
  }
}

void Section::name(const std::string& key, std::string& to, std::string_view first,
                   std::string_view others, const std::string& expected) {
  const json* value = any(key);
  if (value == nullptr) {
    return;
  }
  const std::string text = value->is_string() ? value->get<std::string>() : std::string();
  if (text.empty() || first.find(text.front()) == std::string_view::npos ||
      !std::all_of(text.begin(), text.end(), [&](char c) {
        return first.find(c) != std::string_view::npos || others.find(c) != std::string_view::npos;
      })) {
    return wrong(key, expected);
  }
  to = text;
}

}  // namespace bluegreen::detail
