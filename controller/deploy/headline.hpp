// The words of a verdict, and its way to disk. The headline says what happened and what is serving
// now: it may be all that a person sees. Pure but for write_down.
#pragma once

#include <string>

#include "controller/deploy/step.hpp"

namespace bluegreen {

// "blue serves v1", or what is known when the region could not be read (no `active`).
std::string serving_text(const Verdict& verdict);

std::string headline_done(const Deploy& deploy, const Verdict& verdict);

// `step`: where it failed, empty when its process was interrupted. `flipped`: traffic had moved.
std::string headline_failed(const Deploy& deploy, const Verdict& verdict, const std::string& step,
                            bool flipped);

// The verdict into the journal first, so that a crash between the two loses nothing, then into
// verdict.json. When neither can be written the follower sees a deploy without an end (90).
// `whole`: nothing is left behind; otherwise the next recovery tries again to undo it.
void write_down(TracePort& trace, const Verdict& verdict, bool whole);

// The verdict out of a kVerdict record.
Verdict verdict_from(const Facts& facts);
bool is_whole(const Facts& verdict_facts);

}  // namespace bluegreen
