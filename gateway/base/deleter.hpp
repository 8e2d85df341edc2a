// unique_ptr over C libraries' objects: std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>.
#pragma once

namespace tollgate {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};

} // namespace tollgate
