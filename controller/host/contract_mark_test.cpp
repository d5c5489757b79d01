// The contract's mark on disk: it comes back whole, or says that it is damaged.
#include "controller/host/contract_mark.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

TEST_CASE("Contract mark comes back as it was written, and a damaged one is an error") {
  std::string folder = (std::filesystem::temp_directory_path() / "mark-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto none = read_contract_mark(folder);
  REQUIRE(none);
  CHECK_FALSE(*none);

  const ContractMark mark{.at = std::chrono::system_clock::time_point(std::chrono::seconds(5)),
                          .deploy_id = "c1",
                          .release = "v2",
                          .image = "repo@sha256:2",
                          .old_image = "repo@sha256:1",
                          .old_deploy_id = "d1",
                          .done = true};
  REQUIRE(write_contract_mark(folder, mark));
  auto back = read_contract_mark(folder);
  REQUIRE(back);
  REQUIRE(*back);
  CHECK((*back)->at == mark.at);
  CHECK((*back)->old_deploy_id == "d1");
  CHECK((*back)->done);

  std::string text = **read_file(folder + "/.contract");
  text[text.find("sha256:1") + 7] = '3';
  REQUIRE(replace_file(folder + "/.contract", text));
  const auto damaged = read_contract_mark(folder);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().what.find("damaged") != std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bluegreen
