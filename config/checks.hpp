// Values against each other: what no single row of the key table can say.
#pragma once

#include "config/value.hpp"

namespace tollgate::config {

// `config` is what bind() made of `root`. Only existence checks of named files touch the outside.
void check_network(const Value& root, const Config& config, Sink& sink);  // listeners, providers, Redis, files
void check_models(const Value& root, const Config& config, Sink& sink);   // aliases, upstreams
void check_identity(const Value& root, const Config& config, Sink& sink); // orgs, teams, keys
void check_limits(const Value& root, const Config& config, Sink& sink);   // limits, budgets, prices
void check_sizes(const Value& root, const Config& config, Sink& sink);    // what can never fit

} // namespace tollgate::config
