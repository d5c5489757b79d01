// See percent.hpp.
#include "controller/config/percent.hpp"

#include <charconv>

namespace bluegreen {
namespace {

// Digits and nothing else; empty for none, and for more than a percentage needs.
std::optional<std::uint32_t> digits(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() > most) {
    return std::nullopt;
  }
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
  }
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::optional<std::uint32_t> parse_percent(std::string_view text) {
  if (!text.empty() && text.back() == '%') {
    text.remove_suffix(1);
  }
  const std::size_t point = text.find('.');
  const auto whole = digits(text.substr(0, point), 3);
  std::uint32_t hundredths = 0;
  if (point != std::string_view::npos) {
    const std::string_view decimals = text.substr(point + 1);
    const auto value = digits(decimals, 2);
    if (!value) {
      return std::nullopt;
    }
    hundredths = decimals.size() == 1 ? *value * 10 : *value;
  }
  if (!whole || *whole * 100 + hundredths > 10'000) {
    return std::nullopt;
  }
  return *whole * 100 + hundredths;
}

std::string percent_text(std::uint32_t basis_points) {
  std::string text = std::to_string(basis_points / 100);
  if (const std::uint32_t rest = basis_points % 100; rest != 0) {
    text += "." + std::to_string(rest / 10) + (rest % 10 != 0 ? std::to_string(rest % 10) : "");
  }
  return text + "%";
}

}  // namespace bluegreen
