// The end of a log: for error messages, so bounded in lines and bytes. Never fails; a log that
// cannot be read has no lines.
#pragma once

#include <cstddef>
#include <string>

namespace bluegreen {

// The last `lines` lines of a text or of a file, at most 16 KiB of them, without a final newline.
std::string text_tail(const std::string& text, std::size_t lines);
std::string file_tail(const std::string& path, std::size_t lines);

}  // namespace bluegreen
