// Reading documents that somebody else wrote: a field that is not there, or is of another type,
// reads as nothing. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bluegreen {

// Empty, too, when `document` is no object.
inline std::string text_at(const nlohmann::json& document, const char* key) {
  const auto found = document.is_object() ? document.find(key) : document.end();
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace bluegreen
