// The mark that `bgctl contract` leaves: <trace_dir>/<app>/.contract, one line of JSON,
//
//   {"crc":"1a2b3c4d","mark":{"at_ms":..., "deploy_id":..., ...}}
//
// the CRC-32C over the text of the mark. Replaced atomically and durable; no deploy's folder can
// have its name, and pruning traces leaves it. Called by TraceFolder. A damaged one is an error
// (kPreflight) that says what to do: it must not pass for none.
#pragma once

#include <optional>
#include <string>

#include "controller/ports/trace.hpp"

namespace bluegreen {

Result<void> write_contract_mark(const std::string& app_folder, const ContractMark& mark);
Result<std::optional<ContractMark>> read_contract_mark(const std::string& app_folder);

}  // namespace bluegreen
