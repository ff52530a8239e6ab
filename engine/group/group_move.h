// The move of a group that has members from one protocol to the other (KIP-848): what it takes, as records and members.
//
// Up:    the first heartbeat of the consumer protocol moves a group of consumers. Its members stay, each with the partitions that
//        it was told to read, and go on speaking the classic protocol (ClassicMembers serves them).
// Down:  when the last member that speaks the consumer protocol goes, those who stay are a group of the classic protocol again.
//
// Everything here is a value or a function of values; the machine carries it out.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "engine/group/classic_group.h"
#include "engine/group/consumer_group.h"
#include "engine/group/group_input.h"

namespace millrace::engine {

// What makes a group of the consumer protocol of `group`, without the tombstone of what was written of it.
// Unexpected: why that is not possible, and what to do.
std::expected<std::vector<GroupRecord>, std::string> move_to_consumer(const ClassicGroup& group, const MetadataImage* image,
                                                                      const GroupOptions& options);

struct ClassicMove {
  std::vector<ClassicGroup::Member> members;
  std::int32_t generation = 0;
  // What the log knows. It is one that nobody was told where the partitions of who has gone are still to be given away: after a
  // restart its members are asked to join again.
  std::int32_t written_generation = 0;
  // Nobody has gone, nobody reads anything else, and everybody has what it is to have.
  bool is_settled = false;
  std::vector<GroupRecord> records;
};

// A static member of the consumer protocol that joins again with the classic one.
struct ClassicStandIn {
  std::string former;
  const JoinGroup* question = nullptr;
};

// What makes a group of the classic protocol of `group` when `leaving` have gone; none: it stays what it is.
std::optional<ClassicMove> move_to_classic(const ConsumerGroup& group, const std::vector<std::string>& leaving,
                                           const std::optional<ClassicStandIn>& stand_in, const MetadataImage* image,
                                           const GroupOptions& options, WallTime now);

// What records take in a batch, at most.
std::size_t batch_bytes(const std::vector<GroupRecord>& records, std::size_t begin = 0);

}  // namespace millrace::engine
