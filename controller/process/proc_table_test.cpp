// What is read of /proc, on texts and on this very process.
#include "controller/process/proc_table.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Stat of a process whose name has spaces and parentheses is read right") {
  const auto stat = parse_stat(
      "4711 (a) b (c) S 1 4700 4699 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1000 1 2\n");
  REQUIRE(stat);
  CHECK(stat->pid == 4711);
  CHECK(stat->name == "a) b (c");
  CHECK(stat->state == 'S');
  CHECK(stat->session == 4699);
  CHECK(stat->start_ticks == 98765);
  CHECK(stat->alive());
}

TEST_CASE("Stat that is cut short is none") {
  CHECK_FALSE(parse_stat(""));
  CHECK_FALSE(parse_stat("4711 (a"));
  CHECK_FALSE(parse_stat("4711 (a) S 1 2 3"));
}

TEST_CASE("Process with another start time is not opened") {
  auto self = stat_of(::getpid());
  REQUIRE(self);
  CHECK(open_process(*self));
  self->start_ticks += 1;
  CHECK_FALSE(open_process(*self));
}

TEST_CASE("Holder of a port is named by its program and number") {
  const shm::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  CHECK(port_holder(ntohs(address.sin_port)) ==
        "process_test (pid " + std::to_string(::getpid()) + ")");
}

}  // namespace
}  // namespace bluegreen
