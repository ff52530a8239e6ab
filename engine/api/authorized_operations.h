// What a client may do, as bits by the protocol's numbers of operations (AclOperation). Without an authorizer that is everything
// there is for a kind of resource.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace millrace::engine {

enum class Operation : std::int8_t {
  read = 3,
  write = 4,
  create = 5,
  remove = 6,
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
};

constexpr std::int32_t bits_of(std::initializer_list<Operation> operations) {
  std::int32_t bits = 0;
  for (const Operation operation : operations) bits |= std::int32_t{1} << static_cast<std::int8_t>(operation);
  return bits;
}

inline constexpr std::int32_t kTopicOperations =
    bits_of({Operation::read, Operation::write, Operation::create, Operation::remove, Operation::alter,
             Operation::describe, Operation::describe_configs, Operation::alter_configs});
inline constexpr std::int32_t kGroupOperations =
    bits_of({Operation::read, Operation::remove, Operation::describe, Operation::describe_configs,
             Operation::alter_configs});
inline constexpr std::int32_t kClusterOperations =
    bits_of({Operation::create, Operation::alter, Operation::describe, Operation::cluster_action,
             Operation::describe_configs, Operation::alter_configs, Operation::idempotent_write});

}  // namespace millrace::engine
