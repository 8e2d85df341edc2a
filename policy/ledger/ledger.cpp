#include "policy/ledger/ledger.hpp"

#include "gateway/base/log.hpp"
#include "policy/ledger/table.hpp"
#include "policy/ledger/table_writer.hpp"
#include "policy/store_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

using Outcome = std::expected<void, std::string>;

std::uint64_t hash_of(std::string_view id) {
    return std::hash<std::string_view>{}(id);
}

// After a power cut the table can know an end that its segment lost: those are not open. The others stay in `open`.
std::expected<std::unordered_set<std::string>, std::string> take_settled(Table& table,
                                                                         std::vector<OpenOperation>& open) {
    std::unordered_set<std::string> settled;
    for (const OpenOperation& operation : open) {
        const Admit& admit = operation.admit.record();
        const auto there = table.contains(admit.request_id, admit.at_us);
        if (!there) return std::unexpected(there.error());
        if (*there) settled.emplace(admit.request_id);
    }
    std::erase_if(open, [&settled](const OpenOperation& operation) {
        return settled.contains(std::string(operation.admit.record().request_id));
    });
    return settled;
}

} // namespace

struct Ledger::Impl {
    std::string path;
    Options options;
    Fd lock; // released last
    std::vector<OpenOperation> recovered;
    std::vector<Damage> cuts;
    std::unique_ptr<SegmentLog> log;
    std::unique_ptr<TableWriter> writer; // the thread's

    std::mutex mutex; // everything below
    std::condition_variable wake;
    bool news = true; // there may be records to write
    bool stopping = false;
    bool ended = false;
    std::vector<std::function<void(const Outcome&)>> jobs; // each is told how the writing before it went
    Stats stats;
    std::thread thread;

    template <class R>
    Result<void> append(Purpose purpose, std::string_view id, const R& record) {
        thread_local FrameBuffer buffer; // not on the stack: hardened builds clear that every time
        const std::string_view frame = encode(record, buffer);
        if (frame.empty()) {
            return fail({.type = ErrorType::gateway_internal,
                         .status = 500,
                         .message = "The request has no id that the usage ledger can keep."});
        }
        return log->append(purpose, hash_of(id), frame);
    }

    void on_synced() {
        {
            const std::lock_guard guard(mutex);
            if (std::exchange(news, true)) return;
        }
        wake.notify_all();
    }

    void run();
    Outcome drain();
    Outcome call(std::function<Outcome()> job);
    Outcome drop(Day day, std::int64_t now_us, std::function<Outcome()> action);
};

// Writes all there is. The thread's.
Outcome Ledger::Impl::drain() {
    Outcome done;
    while (true) {
        const auto more = writer->step();
        if (!more) done = std::unexpected(more.error());
        if (!more || !*more) break;
    }
    const std::lock_guard guard(mutex);
    stats.rows = writer->rows();
    stats.duplicates = writer->duplicates();
    stats.orphans = writer->orphans();
    if (!done) {
        ++stats.failures;
        if (stats.table_fault != done.error()) {
            log::error("the ledger cannot write its table; nothing is lost", {{"reason", done.error()}});
        }
    }
    stats.table_fault = done ? std::string() : done.error();
    news = news || !done;
    return done;
}

void Ledger::Impl::run() {
    std::unique_lock guard(mutex);
    const auto urgent = [this] { return stopping || !jobs.empty(); };
    while (true) {
        wake.wait(guard, [&] { return urgent() || news; });
        // Others join the transaction.
        wake.wait_for(guard, stats.table_fault.empty() ? options.batch_interval : options.retry_interval, urgent);
        const bool last = stopping;
        const auto now = std::exchange(jobs, {});
        news = false;
        guard.unlock();
        const Outcome done = drain();
        for (const auto& job : now) job(done);
        guard.lock();
        if (last && jobs.empty()) break;
    }
    ended = true;
}

// Runs the job in the ledger's thread after everything before it has been written.
Outcome Ledger::Impl::call(std::function<Outcome()> job) {
    std::promise<Outcome> promise;
    std::future<Outcome> result = promise.get_future();
    {
        const std::lock_guard guard(mutex);
        if (ended || stopping) return std::unexpected("the ledger is stopped");
        jobs.emplace_back([&promise, &job](const Outcome& written) { promise.set_value(written ? job() : written); });
    }
    wake.notify_all();
    return result.get();
}

Outcome Ledger::Impl::drop(Day day, std::int64_t now_us, std::function<Outcome()> action) {
    return call([this, day, now_us, act = std::move(action)]() -> Outcome {
        if (day >= day_of(now_us)) return std::unexpected(fmt::format("{} is not over", to_string(day)));
        if (writer->has_open(day)) {
            return std::unexpected(fmt::format("an operation of {} is still open", to_string(day)));
        }
        return act();
    });
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Ledger::~Ledger() {
    stop();
}

std::expected<std::unique_ptr<Ledger>, std::string> Ledger::open(const std::string& path, Options options) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->options = options;
    if (auto made = ensure_directory(path); !made) return std::unexpected(made.error());
    auto lock = lock_directory(path);
    if (!lock) return std::unexpected(lock.error());
    impl->lock = std::move(*lock);

    auto recovery = recover(path);
    if (!recovery) return std::unexpected(recovery.error());
    auto table = Table::open(path);
    if (!table) return std::unexpected(table.error());
    auto settled = take_settled(**table, recovery->open);
    if (!settled) return std::unexpected(settled.error());
    for (const Damage& cut : recovery->cuts) log::warning("a torn end of the ledger was cut", {{"reason", cut.text}});

    LogOptions& log_options = impl->options.log;
    log_options.on_synced = [self = impl.get(), also = log_options.on_synced] {
        self->on_synced();
        if (also) also();
    };
    auto log = SegmentLog::open(path, log_options, *recovery);
    if (!log) return std::unexpected(log.error());
    impl->log = std::move(*log);
    impl->recovered = std::move(recovery->open);
    impl->cuts = std::move(recovery->cuts);
    impl->writer = std::make_unique<TableWriter>(*impl->log, std::move(*table), std::max<std::size_t>(1, options.batch),
                                                 std::move(*settled));
    impl->log->start();
    impl->thread = std::thread([self = impl.get()] { self->run(); });
    return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

const std::vector<OpenOperation>& Ledger::recovered() const {
    return impl_->recovered;
}

const std::vector<Damage>& Ledger::cuts() const {
    return impl_->cuts;
}

Result<void> Ledger::append(const Admit& record) {
    return impl_->append(Purpose::admit, record.request_id, record);
}

Result<void> Ledger::append(const Progress& record) {
    return impl_->append(Purpose::other, record.request_id, record);
}

Result<void> Ledger::append(const Settle& record) {
    return impl_->append(Purpose::settle, record.request_id, record);
}

Result<void> Ledger::append(const Served& record) {
    return impl_->append(Purpose::other, record.request_id, record);
}

Result<void> Ledger::append(const Adjust& record) {
    return impl_->append(Purpose::other, record.id, record);
}

std::expected<void, std::string> Ledger::flush() {
    const Outcome durable = impl_->log->sync();
    const Outcome written = impl_->call([] { return Outcome(); });
    return durable ? written : durable;
}

void Ledger::stop() {
    impl_->log->stop(); // first: nothing is appended behind the last writing
    {
        const std::lock_guard guard(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->wake.notify_all();
    if (impl_->thread.joinable()) impl_->thread.join();
}

std::expected<void, std::string> Ledger::drop_records(Day day, std::int64_t now_us) {
    return impl_->drop(day, now_us, [this, day] { return impl_->writer->table().drop_records(day); });
}

std::expected<void, std::string> Ledger::drop_day(Day day, std::int64_t now_us) {
    return impl_->drop(day, now_us, [this, day] { return impl_->writer->table().drop_day(day); });
}

Stats Ledger::stats() const {
    Stats stats;
    {
        const std::lock_guard guard(impl_->mutex);
        stats = impl_->stats;
    }
    stats.log = impl_->log->stats();
    return stats;
}

const std::string& Ledger::path() const {
    return impl_->path;
}

} // namespace tollgate::policy::ledger
