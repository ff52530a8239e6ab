// InitProducerId: a producer id and epoch, for idempotent and transactional producers. Version 6 is
// understood but not served: Kafka has not declared it stable.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct InitProducerIdResponse;

struct InitProducerIdRequest {
  static constexpr std::string_view kName = "InitProducerIdRequest";
  static constexpr ApiKey kKey = ApiKey::init_producer_id;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 2;
  using Response = InitProducerIdResponse;

  std::optional<std::string_view> transactional_id = "";
  std::int32_t transaction_timeout_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  bool enable2_pc = false;
  bool keep_prepared_txn = false;

  friend bool operator==(const InitProducerIdRequest&, const InitProducerIdRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("transactional_id", m.transactional_id, since(0).nullable(0));
    v.field("transaction_timeout_ms", m.transaction_timeout_ms, since(0));
    v.field("producer_id", m.producer_id, since(3));
    v.field("producer_epoch", m.producer_epoch, since(3));
    v.field("enable2_pc", m.enable2_pc, since(6));
    v.field("keep_prepared_txn", m.keep_prepared_txn, since(6));
  }
};

struct InitProducerIdResponse {
  static constexpr std::string_view kName = "InitProducerIdResponse";
  static constexpr ApiKey kKey = ApiKey::init_producer_id;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 2;

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = 0;
  std::int64_t ongoing_txn_producer_id = -1;
  std::int16_t ongoing_txn_producer_epoch = -1;

  friend bool operator==(const InitProducerIdResponse&, const InitProducerIdResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("producer_id", m.producer_id, since(0));
    v.field("producer_epoch", m.producer_epoch, since(0));
    v.field("ongoing_txn_producer_id", m.ongoing_txn_producer_id, since(6));
    v.field("ongoing_txn_producer_epoch", m.ongoing_txn_producer_epoch, since(6));
  }
};

}  // namespace millrace::wire
