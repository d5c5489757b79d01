// Small files that are read whole and replaced whole: records, environment files.
//
// replace_file writes a temporary file beside the target, flushes it, renames it over the target
// and flushes the folder: a reader and a crash see the old text or the new one. Called by the
// adapters under the application's lock, so two writers do not meet. Errors name the file and the
// system's reason.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>

namespace bluegreen {

// Mode and owner of a file that is there are kept; `mode` is for a new one. A symbolic link is
// followed. The folder must exist.
tl::expected<void, std::string> replace_file(const std::string& path, const std::string& text,
                                             unsigned mode = 0644);

// Empty optional when there is no such file.
tl::expected<std::optional<std::string>, std::string> read_file(const std::string& path);

// Removes it and flushes the folder; one that is not there is fine.
tl::expected<void, std::string> remove_file(const std::string& path);

// mkdir -p with mode 0755.
tl::expected<void, std::string> make_folder(const std::string& path);

}  // namespace bluegreen
