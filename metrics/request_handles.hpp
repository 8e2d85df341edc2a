// Private to metrics/: handles of the families that record() feeds, resolved once per combination of small integers.
// Steady state does no string work and no allocation.
#pragma once

#include "metrics/user_agent.hpp"
#include "metrics/vocabulary.hpp"
#include "metrics/word_ids.hpp"

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace tollgate::metrics {

struct ModelHandles { // of one (operation, model, stream)
    std::array<Counter, kOutcomeCount> outcomes;
    Histogram duration, first_token, per_token; // the latter two only with stream
    Histogram input_tokens, output_tokens, cost;
};

struct OperationHandles {
    Gauge in_flight;
    Histogram max_gap, request_body, response_body;
    std::array<Histogram, 2> overhead; // index: stream
    std::array<Counter, kClientFamilyCount> clients;
    std::vector<std::array<ModelHandles, 2>> models; // [model][stream]; outcomes[0].slot 0: not resolved yet
};

struct PairHandles { // of one (upstream, model)
    // success, cancelled, unclassified error, then every ErrorType
    static constexpr std::size_t kResults = 3 + kErrorTypeCount;
    std::array<std::array<Counter, kResults>, 2> attempts; // [stream][result], resolved one by one
    Histogram duration, first_token;
    Counter input_tokens, output_tokens;
    std::array<Counter, kTokenDetails.size()> details;
    std::array<Counter, kCostComponents.size()> costs;
};

struct ViewCounters {                                   // of a team or a key
    std::array<Counter, kViewOutcomes.size()> outcomes; // outcomes[0].slot 0: not resolved yet
    Counter input_tokens, output_tokens, cost;
};

class RequestHandles {
  public:
    explicit RequestHandles(Registry& registry);
    void use(std::shared_ptr<const Vocabulary> vocabulary);

    // Indices of a record that was started under an older vocabulary are corrected by name; unknown: "other".
    [[nodiscard]] std::uint32_t model_index(const RequestRecord& record) const;
    [[nodiscard]] std::uint32_t upstream_index(const AttemptRecord& attempt) const;

    [[nodiscard]] Counter http(const RequestRecord& record);
    [[nodiscard]] OperationHandles& operation(std::string_view name);
    [[nodiscard]] const ModelHandles& model(std::string_view operation, std::uint32_t model, bool stream);
    [[nodiscard]] Counter error(const RequestRecord& record, std::uint32_t model);
    // Of the record's key, which must have one; a key that a reload removed meanwhile counts under "_other".
    [[nodiscard]] ViewCounters key(const RequestRecord& record);
    [[nodiscard]] ViewCounters team(const RequestRecord& record, std::uint32_t model);
    [[nodiscard]] PairHandles& pair(std::uint32_t upstream, std::uint32_t model);
    [[nodiscard]] Counter attempt(const AttemptRecord& attempt, std::uint32_t upstream, std::uint32_t model,
                                  bool stream);
    [[nodiscard]] Counter retry(const AttemptRecord& failed, std::uint32_t upstream);
    [[nodiscard]] Counter interruption(std::uint32_t upstream, std::string_view side, std::string_view reason);
    [[nodiscard]] Counter bypass(std::string_view reason);
    [[nodiscard]] Counter saved(std::string_view source, std::uint32_t model);
    [[nodiscard]] Counter served(std::string_view type, std::uint32_t model);
    [[nodiscard]] Counter usage(std::string_view source, bool stream);
    [[nodiscard]] Counter refused_usage(std::uint32_t upstream);
    [[nodiscard]] Counter unpriced(std::uint32_t model);
    [[nodiscard]] Counter limit(std::string_view scope, std::string_view name);

  private:
    using Cache = std::unordered_map<std::uint64_t, Counter>;
    [[nodiscard]] std::optional<std::size_t> key_index(const RequestRecord& record) const;
    [[nodiscard]] ViewCounters resolve_key(std::string_view key, std::string_view team);
    [[nodiscard]] ViewCounters resolve_team(std::string_view team, std::uint32_t model);
    [[nodiscard]] std::string_view model_name(std::uint32_t index) const;
    [[nodiscard]] std::string_view upstream_name(std::uint32_t index) const;

    Registry& registry_;
    std::shared_ptr<const Vocabulary> vocabulary_;
    WordIds words_;
    // These live as long as the worker…
    std::vector<std::unique_ptr<OperationHandles>> operations_; // index: word id
    Cache http_, bypass_, limits_, usage_;
    // …and these as long as the indices of the vocabulary.
    Cache errors_, retries_, interruptions_, refused_usage_, saved_, served_, unpriced_;
    std::unordered_map<std::uint64_t, PairHandles> pairs_;
    std::vector<ViewCounters> keys_;       // index: key
    std::vector<std::uint32_t> key_teams_; // index: key; equal numbers: same team
    std::unordered_map<std::uint64_t, ViewCounters> teams_;
};

} // namespace tollgate::metrics
