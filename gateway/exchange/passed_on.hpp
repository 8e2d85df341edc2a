// Which of a request's own words reach the provider: closed lists (reliability §5.6). Pure.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::exchange {

// Appends "?a=1&b=2", as it was written, without parameters whose decoded names say that they carry a credential
// (case 259). A `;` separates too, for who reads it so.
void append_passed_query(std::string& out, std::string_view query);

// Of OpenAI-Beta the values that OpenAI's clients send, separated by commas; empty: none.
[[nodiscard]] std::string passed_beta(std::string_view value);

// A charset other than UTF-8, or two of them: the provider might read other text than was checked (case 272). `value`:
// of a Content-Type.
[[nodiscard]] bool has_foreign_charset(std::string_view value);

} // namespace tollgate::exchange
