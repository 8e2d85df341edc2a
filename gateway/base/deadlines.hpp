// Deadlines of one second and more, checked by the worker's 100 ms tick: setting one is a store, no timer is armed.
#pragma once

#include "gateway/base/time.hpp"

#include <boost/intrusive/list.hpp>

#include <string_view>
#include <utility>

namespace tollgate {

class DeadlineList;

// Something that can run out of time. Registered for its whole life; same thread as its list.
class Deadline : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    explicit Deadline(DeadlineList& list);
    virtual ~Deadline() = default;
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    // `clock` names the limit in errors and logs; static storage. An earlier deadline is replaced.
    void expire_at(TimePoint at, std::string_view clock) noexcept {
        at_ = at;
        clock_ = clock;
    }
    void expire_never() noexcept { at_ = kNever; }
    [[nodiscard]] TimePoint expires() const noexcept { return at_; }
    [[nodiscard]] std::string_view clock() const noexcept { return clock_; }
    [[nodiscard]] bool expired() const noexcept { return expired_; }

  protected:
    virtual void on_expired() = 0;
    // The process is going down: end now, whatever the deadline said.
    virtual void on_terminate() { on_expired(); }

  private:
    friend class DeadlineList;
    TimePoint at_ = kNever;
    std::string_view clock_;
    bool expired_ = false;
};

class DeadlineList {
  public:
    // The time of the last tick: good enough for every deadline of a second and more.
    [[nodiscard]] TimePoint now() const noexcept { return now_; }
    void tick(TimePoint now);
    // Expires at once everything that waits on the clock of that name.
    // …and would run out until `latest`.
    void expire_clock(std::string_view clock, TimePoint latest = kNever);
    // Ends everything.
    void terminate_all();

  private:
    friend class Deadline;
    template <class Pick, class Fire>
    void fire_each(Pick pick, Fire fire);
    using List = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;
    List list_;
    TimePoint now_ = Clock::now();
};

inline Deadline::Deadline(DeadlineList& list) {
    list.list_.push_back(*this);
}

} // namespace tollgate
