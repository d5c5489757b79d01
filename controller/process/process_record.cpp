// See the header.
#include "controller/process/process_record.hpp"

#include <nlohmann/json.hpp>

#include "shm/checksum.hpp"

namespace bluegreen {

using nlohmann::json;

std::string to_text(const ProcessRecord& record) {
  const json document = {{"schema", 1},
                         {"pid", record.pid},
                         {"start_ticks", record.start_ticks},
                         {"boot_id", record.boot_id},
                         {"started_unix_ms", record.started_unix_ms},
                         {"image", record.image},
                         {"argv", record.argv}};
  // Arguments are bytes, JSON is UTF-8: a record that cannot be written would lose a process.
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

tl::expected<ProcessRecord, std::string> parse_record(const std::string& text) {
  try {
    const json document = json::parse(text);
    if (document.at("schema") != 1) {
      return tl::unexpected("schema is " + document.at("schema").dump() + ", expected 1");
    }
    ProcessRecord record;
    document.at("pid").get_to(record.pid);
    document.at("start_ticks").get_to(record.start_ticks);
    document.at("boot_id").get_to(record.boot_id);
    document.at("started_unix_ms").get_to(record.started_unix_ms);
    document.at("image").get_to(record.image);
    document.at("argv").get_to(record.argv);
    if (record.pid <= 1) {
      return tl::unexpected("pid is " + std::to_string(record.pid) + ", expected more than 1");
    }
    return record;
  } catch (const json::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
}

std::uint64_t identity_of(const ProcessRecord& record) {
  const std::uint64_t boot = shm::crc32c(record.boot_id.data(), record.boot_id.size());
  const std::uint64_t process =
      (record.start_ticks << 22U) ^ static_cast<std::uint64_t>(record.pid);
  const std::uint64_t mixed = shm::mix64(process ^ shm::mix64(boot));
  return mixed == 0 ? 1 : mixed;
}

}  // namespace bluegreen
