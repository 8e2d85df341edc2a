// One libFuzzer program per target; the build names the function.
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    tollgate::fuzz::TOLLGATE_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
