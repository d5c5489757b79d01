// The text of an environment file as Compose reads it, changed one variable at a time. Pure.
//
// Everything but the variable's own line is kept to the byte: people keep settings and comments in
// the same file. A variable that is set twice counts with its last line, as for Compose.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bluegreen {

std::optional<std::string> env_value(const std::string& text, std::string_view name);
std::string with_env_value(const std::string& text, std::string_view name,
                           const std::optional<std::string>& value);

}  // namespace bluegreen
