// Which topic names there may be.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::engine {

inline constexpr std::size_t kTopicNameBytesMax = 249;
inline constexpr std::string_view kMetadataTopicName = "__cluster_metadata";

// Errors: invalid_argument, with Kafka's sentence: a wrong length or a character other than
// letters, digits, '.', '_', '-'.
Result<void> validate_topic_name(std::string_view name);
// Topics of Kafka's own: __consumer_offsets, __transaction_state, __share_group_state.
bool is_internal_topic(std::string_view name);

// Metric names write both '.' and '_' as '_', so two topics must not differ in these alone.
bool has_colliding_characters(std::string_view name);
// The form in which colliding names are equal.
std::string without_collisions(std::string_view name);

}  // namespace millrace::engine
