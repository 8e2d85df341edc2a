// Preloaded into a gateway under test: name servers that never answer for *.silent. The system's own patience, and with
// it getaddrinfo(), would end after some seconds; this is the worst of it. And *.self is this machine, as some name is
// everywhere that a configuration's text does not show.
#include <dlfcn.h>
#include <netdb.h>
#include <string_view>
#include <unistd.h>

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** result) {
    if (name != nullptr && std::string_view(name).ends_with(".silent")) {
        for (;;) ::pause();
    }
    if (name != nullptr && std::string_view(name).ends_with(".self")) name = "127.0.0.1";
    using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto kNext = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return kNext(name, service, hints, result);
}
