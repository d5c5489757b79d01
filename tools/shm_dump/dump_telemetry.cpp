// The dump of a telemetry region. See dump.hpp.
#include "shm/telemetry_region.hpp"
#include "shm/worker_slots.hpp"
#include "tools/shm_dump/dump.hpp"
#include "tools/shm_dump/print.hpp"

namespace bluegreen::shm_dump {

namespace {

using shm::AppName;
using shm::Mirror;
using shm::MirrorCopy;
using shm::Slot;
using shm::TelemetryRegion;

struct Names {
  std::string text[shm::kMaxApps];
};

// Whether `present` bytes of a part are all of it; says so if not.
bool is_whole(std::ostream& out, const std::string& what, std::size_t present, std::size_t size) {
  if (present == size) {
    return true;
  }
  out << what << ": only " << present << " of " << size << " bytes are in the file\n";
  return false;
}

bool print_names(std::ostream& out, const RegionImage& image, Names& names) {
  bool good = true;
  for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
    const auto name = image.copy<AppName>(offsetof(TelemetryRegion, names) + i * sizeof(AppName));
    const std::string what = "name " + std::to_string(i);
    names.text[i] = quoted(shm::text_of(name->name));
    good = is_whole(out, what, name.present, sizeof(AppName)) && good;
    if (name.zero()) {
      names.text[i] = std::to_string(i);
      continue;
    }
    const std::uint32_t state = name->state.load();
    const bool sound = state <= 1 && shm::is_app_name(shm::text_of(name->name));
    out << what << ": " << names.text[i] << ", state " << state << (sound ? "" : ", DAMAGED")
        << "\n";
    good = good && sound;
  }
  return good;
}

bool print_mirror_copy(std::ostream& out, const MirrorCopy& copy, unsigned which) {
  const std::uint32_t crc = shm::crc32c(reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                                        sizeof(copy) - sizeof(copy.crc));
  out << "  copy " << which << ": ";
  if (crc == copy.crc) {
    out << "crc ok";
  } else {
    out << "CRC BAD (expected " << hex(crc, 8) << ", found " << hex(copy.crc, 8) << ")";
  }
  out << ", accepted " << time_text(copy.accepted_unix_ns) << ", control "
      << hex(copy.control_id, 16) << " application " << copy.control_index << ", generation "
      << copy.generation << "\n";
  out << "    word " << describe_word(copy.word, copy.control_id, copy.control_index) << "\n";
  print_table(out, "    ", "blue", copy.tables[0]);
  print_table(out, "    ", "green", copy.tables[1]);
  return crc == copy.crc;
}

// One copy may be half written; that no copy is whole is damage.
bool print_mirrors(std::ostream& out, const RegionImage& image, const Names& names) {
  bool good = true;
  for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
    const auto mirror = image.copy<Mirror>(offsetof(TelemetryRegion, mirrors) + i * sizeof(Mirror));
    good = is_whole(out, "mirror " + std::to_string(i), mirror.present, sizeof(Mirror)) && good;
    if (mirror.zero()) {
      continue;
    }
    out << "mirror " << i << " of " << names.text[i] << "\n";
    bool any = false;
    for (unsigned which = 0; which < 2; ++which) {
      if (mirror->copies[which].accepted_unix_ns == 0 && mirror->copies[which].crc == 0) {
        out << "  copy " << which << ": never written\n";
      } else {
        any = print_mirror_copy(out, mirror->copies[which], which) || any;
      }
    }
    good = good && any;
  }
  return good;
}

void print_counters(std::ostream& out, const Slot& slot, const Names& names) {
  for (std::uint32_t app = 0; app < shm::kMaxApps; ++app) {
    for (const shm::Color color : shm::kColors) {
      const shm::Counters& c = slot.counters[app][index_of(color)];
      if (c.in_flight.load() == 0 && c.requests.load() == 0 && c.tries.load() == 0 &&
          c.withdrawn.load() == 0 && c.waiting.load() == 0 && c.refused.load() == 0) {
        continue;
      }
      out << "  " << names.text[app] << " " << name_of(color) << ": in flight "
          << c.in_flight.load() << ", requests " << c.requests.load() << ", responses";
      for (int i = 0; i < 5; ++i) {
        out << " " << i + 1 << "xx " << c.responses[i].load();
      }
      out << ", none " << c.no_response.load() << ", tries " << c.tries.load() << ", failures "
          << c.failures.load() << ", withdrawn " << c.withdrawn.load() << ", waiting "
          << c.waiting.load() << ", weighted " << c.weighted.load() << ", previews "
          << c.previews.load() << ", fallbacks " << c.fallbacks.load() << ", refused "
          << c.refused.load() << "\n";
    }
  }
}

const char* life_text(shm::SlotLife life) {
  switch (life) {
    case shm::SlotLife::kLive:
      return "live";
    case shm::SlotLife::kFree:
      return "free";
    case shm::SlotLife::kUnknown:
      break;
  }
  return "life unknown";
}

bool print_slots(std::ostream& out, const RegionImage& image, const Names& names) {
  bool good = true;
  std::uint32_t unused = 0;
  for (std::uint32_t i = 0; i < shm::kMaxSlots; ++i) {
    const shm::SlotLife life = shm::slot_life(image.fd(), i);
    const auto slot = image.copy<Slot>(shm::slot_offset(i));
    good = is_whole(out, "slot " + std::to_string(i), slot.present, sizeof(Slot)) && good;
    if (life != shm::SlotLife::kLive && slot.zero()) {
      ++unused;
      continue;
    }
    const std::uint32_t state = slot->control_state.load();
    out << "slot " << i << ": " << life_text(life) << ", state " << slot->state.load() << ", pid "
        << slot->pid.load() << ", taken " << time_text(slot->taken_unix_ns.load()) << ", cycle "
        << slot->cycle.load() << ", owners " << slot->owners.load() << "\n";
    out << "  control " << hex(slot->attached_control.load(), 16) << ", "
        << name_of(static_cast<shm::ControlState>(state)) << " (" << state << ")\n";
    print_counters(out, *slot, names);
  }
  out << "unused slots: " << unused << "\n";
  return good;
}

}  // namespace

bool dump_telemetry(std::ostream& out, const RegionImage& image) {
  const auto header = image.copy<shm::RegionHeader>(0);
  const bool good = print_header(out, *header, image.size(), shm::kTelemetryKind);
  std::uint64_t slotless = 0;
  image.read(offsetof(TelemetryRegion, slotless), &slotless, sizeof(slotless));
  out << "workers without a slot: " << slotless << "\n";
  Names names;
  const bool named = print_names(out, image, names);
  const bool mirrored = print_mirrors(out, image, names);
  const bool slots = print_slots(out, image, names);
  dump_detail(out, image, header->id);
  return slots && good && named && mirrored;
}

}  // namespace bluegreen::shm_dump
