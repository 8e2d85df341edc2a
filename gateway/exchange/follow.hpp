// What an answer uses, followed while it streams and remembered when it is whole (limits-cache §1.2, §2.3).
#pragma once

namespace tollgate::exchange {

struct Exchange;

// Of a stream, after each event: what it uses beyond its reserve is taken from the same limits. False: one that cuts
// streams has no room; the record names it and the stream must end with what it has sent.
[[nodiscard]] bool keep_covered(Exchange& ex);

// What is usual for a key and model is learned from whole answers that nobody limited and their provider counted. Call
// once the usage is settled.
void learn(Exchange& ex);

} // namespace tollgate::exchange
