// Unit tests of unique_fd.hpp: who closes what, and when.
#include "shm/unique_fd.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

using bluegreen::shm::UniqueFd;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

int open_null() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

TEST_CASE("UniqueFd closes what it owns, once, when it goes, is reset or is assigned to") {
  const int first = open_null();
  const int second = open_null();
  {
    UniqueFd owner(first);
    UniqueFd moved(std::move(owner));
    CHECK(is_open(first));
    moved = UniqueFd(second);
    CHECK_FALSE(is_open(first));
    CHECK(is_open(second));
  }
  CHECK_FALSE(is_open(second));
}

TEST_CASE("UniqueFd that was released leaves the descriptor open and is empty") {
  int fd = -1;
  {
    UniqueFd owner(open_null());
    fd = owner.release();
    CHECK_FALSE(owner);
    CHECK(owner.get() == -1);
  }
  CHECK(is_open(fd));
  ::close(fd);
}
