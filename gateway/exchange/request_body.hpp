// Reading the client's body under its caps and deadlines, after the caller is known.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

inline constexpr std::string_view kRequestBody = "request body"; // the clock of a body that is being received

// Decides, from the head alone, whether this body may come at all: type, length, encoding. Memory is
// counted against the process cap as octets arrive, so that announcing a length holds nothing.
[[nodiscard]] Result<void> admit_body(Exchange& ex);

// Reads it whole into ex.body: JSON into memory; multipart into memory up to 1 MiB, then into an unlinked file, while
// its `model` part is looked for. Sends 100 Continue first if the client waits for it.
Task<Result<void>> read_body(Exchange& ex);

} // namespace tollgate::exchange
