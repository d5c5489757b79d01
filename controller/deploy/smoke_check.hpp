// Whether an answer to a smoke check is what the configuration expects of the idle color, and if
// not, in one sentence what was expected and what was found. Pure; called by the smoke step.
#pragma once

#include <string>

#include "controller/config/smoke_config.hpp"
#include "controller/ports/regions.hpp"
#include "controller/ports/smoke.hpp"

namespace bluegreen {

// The color that a valid preview's answer names.
inline constexpr const char* kColorHeader = "x-bluegreen-color";

// NGINX took it for a preview and sent it to that color; anything else is another one's answer.
std::string why_not_from(Color idle, const SmokeAnswer& answer);

// Status, headers, body, time. Empty when all is as expected.
std::string why_not_well(const SmokeCheck& check, const SmokeAnswer& answer);

// "GET /health", as it begins each text about that check.
std::string subject_of(const SmokeCheck& check);

}  // namespace bluegreen
