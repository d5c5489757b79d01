// The undo file is JSON: {"schema": 1, "color": "green", "existed": true, "before": {variable:
// image or null}, "after": {variable: image}}.
#include "controller/compose/image_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controller/compose/env_text.hpp"
#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

json or_null(const std::optional<std::string>& value) {
  return value ? json(*value) : json(nullptr);
}

std::optional<std::string> or_none(const json& value) {
  return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

struct Undo {
  bool existed = false;
  json before;
  json after;
};

// Empty when there is none for this color.
tl::expected<std::optional<Undo>, std::string> load_undo(const std::string& path,
                                                         shm::Color color) {
  const auto text = read_file(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  if (!*text) {
    return std::optional<Undo>();
  }
  try {
    const json document = json::parse(**text);
    if (document.at("schema") == 1 && document.at("before").is_object() &&
        document.at("after").is_object()) {
      if (document.at("color") != name_of(color)) {
        return std::optional<Undo>();
      }
      return std::optional(
          Undo{document.at("existed").get<bool>(), document.at("before"), document.at("after")});
    }
  } catch (const json::exception&) {  // said below
  }
  return tl::unexpected(fmt::format("{} is no undo file of bgctl; look at it and remove it", path));
}

}  // namespace

ImageFile::ImageFile(std::string path, const std::string (&variables)[2])
    : path_(std::move(path)),
      undo_path_(path_ + "." + variables[0] + ".undo"),
      variables_{variables[0], variables[1]} {}

tl::expected<std::optional<std::string>, std::string> ImageFile::image(shm::Color color) const {
  const auto text = read_file(path_);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto value = *text ? env_value(**text, variables_[index_of(color)]) : std::nullopt;
  if (value && value->empty()) {
    value.reset();
  }
  return value;
}

tl::expected<std::string, std::string> ImageFile::text_with(const std::string& blue,
                                                            const std::string& green) const {
  const auto text = read_file(path_);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const std::string with_blue = with_env_value(text->value_or(""), variables_[0], blue);
  return with_env_value(with_blue, variables_[1], green);
}

tl::expected<void, std::string> ImageFile::set(shm::Color color, const std::string& image) const {
  const auto text = read_file(path_);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const std::string& mine = variables_[index_of(color)];
  const std::string& others = variables_[index_of(other(color))];
  const std::string before = text->value_or("");
  std::string after = with_env_value(before, mine, image);
  if (env_value(after, others).value_or("").empty()) {
    after = with_env_value(after, others, image);
  }
  json undo = {{"schema", 1},
               {"color", name_of(color)},
               {"existed", text->has_value()},
               {"before", json::object()},
               {"after", json::object()}};
  for (const std::string& name : variables_) {
    undo["before"][name] = or_null(env_value(before, name));
    undo["after"][name] = or_null(env_value(after, name));
  }
  const auto earlier = load_undo(undo_path_, color);
  if (!earlier) {
    return tl::unexpected(earlier.error());
  }
  if (*earlier) {
    undo["existed"] = (*earlier)->existed;
    undo["before"] = (*earlier)->before;
  }
  if (auto written = replace_file(undo_path_, undo.dump(2) + "\n"); !written) {
    return written;
  }
  return replace_file(path_, after);
}

tl::expected<void, std::string> ImageFile::restore(shm::Color color) const {
  const auto undo = load_undo(undo_path_, color);
  const auto text = read_file(path_);
  if (!undo || !text) {
    return tl::unexpected(undo ? text.error() : undo.error());
  }
  if (!*undo) {
    return {};
  }
  std::string restored = text->value_or("");
  for (const std::string& name : variables_) {
    // Changed by somebody else since: theirs stays.
    if (env_value(restored, name) == or_none((*undo)->after.value(name, json()))) {
      restored = with_env_value(restored, name, or_none((*undo)->before.value(name, json())));
    }
  }
  const bool leave_none = !(*undo)->existed && restored.empty();
  if (auto done = leave_none ? remove_file(path_) : replace_file(path_, restored); !done) {
    return done;
  }
  return remove_file(undo_path_);
}

tl::expected<void, std::string> ImageFile::settle() const {
  return remove_file(undo_path_);
}

}  // namespace bluegreen
