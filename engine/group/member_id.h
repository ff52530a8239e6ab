// Ids of members that the coordinator draws, in the forms that Kafka's have.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/prng.h"
#include "base/uuid.h"

namespace millrace::engine {

// As Java writes a UUID: what follows a member's name in the classic protocol.
inline std::string java_uuid(Prng& prng) {
  const Uuid id = Uuid::from_random(prng.next(), prng.next());
  std::string text;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", id.bytes[i]);
  }
  return text;
}

// As Kafka writes one: a member's whole id in the consumer protocol.
inline std::string kafka_uuid(Prng& prng) {
  return Uuid::from_random(prng.next(), prng.next()).to_string();
}

}  // namespace millrace::engine
