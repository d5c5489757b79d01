// See contract_mark.hpp.
#include "controller/host/contract_mark.hpp"

#include <nlohmann/json.hpp>

#include "controller/host/atomic_file.hpp"
#include "controller/host/crc_text.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::system_clock;

std::string path_of_mark(const std::string& app_folder) {
  return app_folder + "/.contract";
}

std::string text_of_mark(const json& mark) {
  return mark.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<void> write_contract_mark(const std::string& app_folder, const ContractMark& mark) {
  const json inside = {
      {"at_ms", std::chrono::duration_cast<milliseconds>(mark.at.time_since_epoch()).count()},
      {"deploy_id", mark.deploy_id},
      {"release", mark.release},
      {"image", mark.image},
      {"old_image", mark.old_image},
      {"old_deploy_id", mark.old_deploy_id},
      {"done", mark.done}};
  const std::string text = text_of_mark(inside);
  auto written = replace_file(path_of_mark(app_folder),
                              "{\"crc\":\"" + crc_text(text) + "\",\"mark\":" + text + "}\n");
  return written ? Result<void>{} : fail(ExitCode::kPreflight, written.error());
}

Result<std::optional<ContractMark>> read_contract_mark(const std::string& app_folder) {
  const std::string path = path_of_mark(app_folder);
  const auto text = read_file(path);
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  if (!*text) {
    return std::nullopt;
  }
  try {
    const json document = json::parse(**text);
    const json& inside = document.at("mark");
    if (document.at("crc") == crc_text(text_of_mark(inside))) {
      ContractMark mark;
      mark.at = system_clock::time_point(milliseconds(inside.at("at_ms").get<std::int64_t>()));
      mark.deploy_id = inside.at("deploy_id").get<std::string>();
      mark.release = inside.at("release").get<std::string>();
      mark.image = inside.at("image").get<std::string>();
      mark.old_image = inside.at("old_image").get<std::string>();
      mark.old_deploy_id = inside.at("old_deploy_id").get<std::string>();
      mark.done = inside.at("done").get<bool>();
      return mark;
    }
  } catch (const json::exception&) {  // said below
  }
  return fail(
      ExitCode::kPreflight,
      path +
          ": the mark of the last contract is damaged, so nobody knows which releases "
          "it allows to go back to",
      "find out with `bgctl history` and remove the file, or go forward: bgctl deploy IMAGE");
}

}  // namespace bluegreen
