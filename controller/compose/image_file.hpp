// The environment file that has each color's image, and how a change of it is undone.
//
// `set` first writes what stood there into a file beside it (<env_file>.<blue's variable>.undo),
// then replaces the environment file: killed anywhere, `restore` puts back what was before the
// deploy. That file belongs to one color: a second `set` for it, after a crash, keeps the first
// one's memory; one for the other color means that the last deploy went well, and begins anew.
// Both variables are always set: a color that never had an image gets the other's, since Compose
// refuses a file with an empty one. Called by ComposeRuntime under the project's lock; errors are
// sentences that name the file.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "shm/limits.hpp"

namespace bluegreen {

class ImageFile {
 public:
  ImageFile(std::string path, const std::string (&variables)[2]);

  // What the color's variable says; empty when it is not set.
  [[nodiscard]] tl::expected<std::optional<std::string>, std::string> image(shm::Color color) const;
  [[nodiscard]] tl::expected<void, std::string> set(shm::Color color,
                                                    const std::string& image) const;
  // Nothing to do when `set` changed nothing for this color, or was settled.
  [[nodiscard]] tl::expected<void, std::string> restore(shm::Color color) const;
  // What `set` wrote is final.
  [[nodiscard]] tl::expected<void, std::string> settle() const;

  // The file's text with both variables set to these: for a check that changes nothing.
  [[nodiscard]] tl::expected<std::string, std::string> text_with(const std::string& blue,
                                                                 const std::string& green) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::string undo_path_;
  std::string variables_[2];
};

}  // namespace bluegreen
