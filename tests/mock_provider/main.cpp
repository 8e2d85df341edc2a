#include "tests/mock_provider/state.hpp"
#include "tests/mock_provider/worker.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tollgate::mock {
namespace {

constexpr std::string_view kUsage =
    "usage: mock_provider [--port N] [--threads N] [--record-max N] [--require-key KEY]\n"
    "                     [--tls-cert FILE --tls-key FILE]\n"
    "An OpenAI-compatible provider on 127.0.0.1 whose model names say how it behaves.\n";

struct Options {
    std::uint16_t port = 0;
    unsigned threads = 1;
    std::size_t record_max = 1000;
    std::string require_key;
    std::string tls_cert;
    std::string tls_key;
};

template <class Number>
bool read_number(std::string_view text, Number& value) {
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end;
}

bool read_option(Options& options, std::string_view name, std::string_view value) {
    if (name == "--port") return read_number(value, options.port);
    if (name == "--threads") return read_number(value, options.threads) && options.threads > 0 && options.threads <= 64;
    if (name == "--record-max") return read_number(value, options.record_max);
    std::string* text = name == "--require-key" ? &options.require_key
                        : name == "--tls-cert"  ? &options.tls_cert
                        : name == "--tls-key"   ? &options.tls_key
                                                : nullptr;
    if (text != nullptr) *text = value;
    return text != nullptr;
}

std::optional<Options> read_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; i += 2) {
        if (i + 1 >= count || !read_option(options, arguments[i], arguments[i + 1])) return std::nullopt;
    }
    if (options.tls_cert.empty() != options.tls_key.empty()) return std::nullopt;
    return options;
}

/// Binds 127.0.0.1:`port` and writes the port taken back. -1 with errno on failure.
int listen_on(std::uint16_t& port, bool shared) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Only with several threads: two forgotten mocks on one port would share its traffic unnoticed.
    if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, generic, size) != 0 || listen(fd, SOMAXCONN) != 0 || getsockname(fd, generic, &size) != 0) {
        close(fd);
        return -1;
    }
    port = ntohs(address.sin_port);
    return fd;
}

void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const Options& options) {
    SslCtx tls;
    if (!options.tls_cert.empty()) {
        std::string error;
        tls = make_tls_context(options.tls_cert, options.tls_key, error);
        if (!tls) return std::fprintf(stderr, "mock_provider: TLS files: %s\n", error.c_str()), 1;
    }
    State state{options.record_max};
    Router router{options.require_key};
    auto port = options.port;
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned i = 0; i < options.threads; ++i) {
        const int listener = listen_on(port, options.threads > 1);
        if (listener < 0) return std::perror("mock_provider: cannot listen"), 1;
        workers.push_back(std::make_unique<Worker>(listener, tls.get(), state, router));
    }
    std::printf("listening 127.0.0.1:%u\n", static_cast<unsigned>(port));
    std::fflush(stdout);
    {
        std::vector<std::jthread> threads;
        for (auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        int received = 0;
        sigwait(&signals, &received);
        for (auto& worker : workers) worker->stop();
    }
    return 0;
}

} // namespace
} // namespace tollgate::mock

int main(int count, char** arguments) {
    const auto options = tollgate::mock::read_options(count, arguments);
    if (!options) return std::fputs(tollgate::mock::kUsage.data(), stderr), 2;
    // Before any thread starts, so that only sigwait sees them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    tollgate::mock::raise_descriptor_limit();
    return tollgate::mock::serve(*options);
}
