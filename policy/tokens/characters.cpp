#include "policy/tokens/characters.hpp"

#include <unicode/uchar.h>
#include <vector>

namespace tollgate::tokens {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

Classes classes_of(UCharCategory category) noexcept {
    switch (category) {
    case U_UPPERCASE_LETTER:
    case U_TITLECASE_LETTER: return kLetter | kUpper;
    case U_LOWERCASE_LETTER: return kLetter | kLower;
    case U_MODIFIER_LETTER:
    case U_OTHER_LETTER: return kLetter | kUpper | kLower;
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_COMBINING_SPACING_MARK: return kUpper | kLower;
    case U_DECIMAL_DIGIT_NUMBER:
    case U_LETTER_NUMBER:
    case U_OTHER_NUMBER: return kNumber;
    default: return 0;
    }
}

// White_Space is within these categories.
bool may_be_space(UCharCategory category) noexcept {
    return category == U_CONTROL_CHAR || category == U_SPACE_SEPARATOR || category == U_LINE_SEPARATOR ||
           category == U_PARAGRAPH_SEPARATOR;
}

UBool add_range(const void* context, UChar32 start, UChar32 limit, UCharCategory category) {
    auto& classes = **static_cast<std::vector<Classes>* const*>(context);
    for (UChar32 c = start; c < limit; ++c) {
        const bool space = may_be_space(category) && u_isUWhiteSpace(c) != 0;
        classes[static_cast<std::size_t>(c)] = space ? kSpace : classes_of(category);
    }
    return 1;
}

std::vector<Classes> all_classes() {
    std::vector<Classes> classes(kCodePoints);
    std::vector<Classes>* const context = &classes;
    u_enumCharTypes(add_range, static_cast<const void*>(&context));
    classes['\r'] |= kNewline;
    classes['\n'] |= kNewline;
    return classes;
}

} // namespace

const CharacterTable& CharacterTable::instance() {
    static const std::vector<Classes> classes = all_classes();
    static const CharacterTable table{classes};
    return table;
}

} // namespace tollgate::tokens
