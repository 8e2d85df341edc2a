// Fills the ledger of a directory as a gateway would: one command a line on stdin, "ok" or the error on stdout.
//   settle ID AT_US ORG TEAM KEY MODEL PROVIDER OUTCOME IN OUT NANO    a number may be "-": unknown
//   admit ID AT_US ORG TEAM KEY MODEL                                 and no end of it
//   adjust ID AT_US ORG TEAM KEY NANO
//   many COUNT AT_US                                                  settles of k_many, 3 nano-USD each
//   flush
// Ends with stdin, without a flush.
#include "policy/ledger/ledger.hpp"

#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

namespace {

using namespace tollgate::policy::ledger;

std::string g_fault;

// A refusal ends when the next segment is there.
template <class R>
void keep(Ledger& ledger, const R& record) {
    for (int tries = 0; tries < 10'000; ++tries) {
        if (ledger.append(record)) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    g_fault = "the ledger takes no record";
}

Number number(const std::string& word) {
    return word == "-" ? std::nullopt : Number(std::stoll(word));
}

struct Names {
    std::string id, org, team, key, model, provider, outcome;
    std::int64_t at_us = 0;
};

void admit(Ledger& ledger, const Names& names) {
    Admit record;
    record.request_id = names.id;
    record.at_us = names.at_us;
    record.org = names.org;
    record.team = names.team;
    record.key = names.key;
    record.model = names.model;
    record.provider = names.provider;
    record.operation = "chat";
    keep(ledger, record);
}

void settle(Ledger& ledger, const Names& names, Number in, Number out, Number nano) {
    admit(ledger, names);
    Settle record;
    record.request_id = names.id;
    record.admitted_us = names.at_us;
    record.at_us = names.at_us + 1'000'000;
    record.outcome = names.outcome;
    record.cache = "none";
    record.http_status = 200;
    record.tokens.in = in;
    record.tokens.out = out;
    record.usage_source = in || out ? UsageSource::upstream : UsageSource::none;
    record.cost.total = nano;
    record.duration_us = 1'000'000;
    record.attempt_count = 1;
    record.attempts.count = 1;
    record.attempts.each[0].upstream = names.provider;
    record.attempts.each[0].start_us = names.at_us;
    keep(ledger, record);
}

void obey(Ledger& ledger, const std::string& line) {
    std::istringstream words(line);
    std::string command, in, out, nano;
    Names names;
    words >> command;
    if (command == "settle") {
        words >> names.id >> names.at_us >> names.org >> names.team >> names.key >> names.model >> names.provider >>
            names.outcome >> in >> out >> nano;
        settle(ledger, names, number(in), number(out), number(nano));
    } else if (command == "admit") {
        words >> names.id >> names.at_us >> names.org >> names.team >> names.key >> names.model;
        admit(ledger, names);
    } else if (command == "adjust") {
        Adjust record;
        words >> names.id >> names.at_us >> names.org >> names.team >> names.key >> record.nano;
        record.id = names.id;
        record.at_us = names.at_us;
        record.org = names.org;
        record.team = names.team;
        record.key = names.key;
        keep(ledger, record);
    } else if (command == "many") {
        int count = 0;
        words >> count >> names.at_us;
        names.org = "default";
        names.team = "search";
        names.key = "k_many";
        names.model = "small";
        names.outcome = "success";
        for (int i = 0; i < count; ++i) {
            names.id = "many_" + std::to_string(i);
            settle(ledger, names, 1, 2, 3);
        }
    } else if (command == "flush") {
        if (const auto flushed = ledger.flush(); !flushed) g_fault = flushed.error();
    } else {
        g_fault = "unknown command";
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    auto ledger = Ledger::open(argv[1]);
    if (!ledger) {
        std::fprintf(stderr, "%s\n", ledger.error().c_str());
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);) {
        obey(**ledger, line);
        std::cout << (g_fault.empty() ? "ok" : g_fault) << std::endl; // the test waits for it
        g_fault.clear();
    }
    return 0;
}
