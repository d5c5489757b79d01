// shm_dump: prints a region file, whole or damaged; `--layout` prints the layout page.
//
// Reads only, so it may look at the files of a running system. Exit: 0 whole, 1 printed and
// damaged, 2 usage, a file that cannot be read, or one that is no region.
#include <cstring>
#include <iostream>

#include "tools/shm_dump/dump.hpp"

int main(int argc, char** argv) {
  using bluegreen::shm_dump::Kind;
  if (argc == 2 && std::strcmp(argv[1], "--layout") == 0) {
    bluegreen::shm_dump::print_layout(std::cout);
    return 0;
  }
  Kind kind = Kind::kByMagic;
  int next = 1;
  if (argc == 4 && std::strcmp(argv[1], "--kind") == 0) {
    kind = std::strcmp(argv[2], "control") == 0     ? Kind::kControl
           : std::strcmp(argv[2], "telemetry") == 0 ? Kind::kTelemetry
                                                    : Kind::kByMagic;
    next = kind == Kind::kByMagic ? argc : 3;
  }
  if (next + 1 != argc || argv[next][0] == '-') {
    std::cerr << "usage: shm_dump [--kind control|telemetry] FILE\n       shm_dump --layout\n";
    return 2;
  }
  return bluegreen::shm_dump::dump_file(std::cout, std::cerr, argv[next], kind);
}
