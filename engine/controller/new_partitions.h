// The partitions that a request asks for: placed, or assigned by hand, and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/prng.h"
#include "engine/metadata/image.h"
#include "net/wire/error_code.h"

namespace millrace::engine {

// Why a request, or a part of it, is refused.
struct Refusal {
  wire::ErrorCode error{};
  std::string message;
};

// A list of replicas somebody chose. `replication_factor` is set when others must agree with it.
std::optional<Refusal> check_assignment(const MetadataImage& image,
                                        const std::vector<std::int32_t>& replicas,
                                        std::optional<std::size_t> replication_factor);

// A new partition with these replicas, led by the first that is in service. Refused when none is.
std::expected<PartitionImage, Refusal> new_partition(const MetadataImage& image,
                                                     const std::vector<BrokerId>& replicas,
                                                     std::int32_t index);

// `count` lists of replicas, chosen by place_replicas among the brokers that are not shutting down.
std::expected<std::vector<std::vector<BrokerId>>, Refusal> place(const MetadataImage& image,
                                                                 std::int32_t count,
                                                                 std::int16_t replication_factor,
                                                                 Prng& prng);

}  // namespace millrace::engine
