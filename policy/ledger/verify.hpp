// `tollgate ledger verify`: is what the ledger holds whole, and does it agree with itself?
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace tollgate::policy::ledger {

struct Fault {
    std::string file;
    std::size_t offset = 0; // in a segment; 0 for a table
    std::string text;       // a sentence
};

struct Verification {
    std::size_t segments = 0;
    std::size_t admits = 0, progresses = 0, settles = 0, adjusts = 0, served = 0; // records in the segments
    std::size_t open = 0;                                                         // admitted, not settled
    std::size_t pending = 0;                                                      // settled, not yet in the table
    std::size_t days = 0;
    std::int64_t operations = 0, attempts = 0, adjustments = 0; // rows in the table
    std::int64_t cost_nano = 0;                                 // of everything
    std::vector<Fault> faults;                                  // empty: all is well
};

// Reads everything and changes nothing; blocks on the disk for as long as that takes. Safe beside a running ledger,
// also of another process: its lock is not taken, what is being written is not seen, and the counts are of no one
// instant. Checks: every record's CRC, that what a segment calls consumed is in the table, SQLite's own integrity
// check, that each line of each day's roll-up is the sum of its rows, that every row has its day and every attempt its
// row. An error is a directory that cannot be read.
[[nodiscard]] std::expected<Verification, std::string> verify(const std::string& directory);

} // namespace tollgate::policy::ledger
