// Printing a whole region, whatever is left of it.
//
// Each returns true when everything that counts is whole: the header, every live application's
// word and the tables that it names, every mirror in use. Cannot fail otherwise: what the file does
// not have is said, not read.
#pragma once

#include <ostream>
#include <string>

#include "tools/shm_dump/region_image.hpp"

namespace bluegreen::shm_dump {

enum class Kind : std::uint8_t { kByMagic, kControl, kTelemetry };

bool dump_control(std::ostream& out, const RegionImage& image);
bool dump_telemetry(std::ostream& out, const RegionImage& image);

// Its second part, which readers of the first do without: says nothing about wholeness.
void dump_detail(std::ostream& out, const RegionImage& image, std::uint64_t region_id);

// Opens and dumps. 0 whole, 1 damaged, 2 not readable, or by its magic no region.
int dump_file(std::ostream& out, std::ostream& errors, const std::string& path, Kind kind);

// The layout page: every field's offset and size, from the structs themselves.
void print_layout(std::ostream& out);

}  // namespace bluegreen::shm_dump
