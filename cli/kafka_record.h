// A message of librdkafka as the record that commands print.
#pragma once

#include <librdkafka/rdkafka.h>

#include "cli/record_format.h"

namespace millrace::cli {

// Text of the record points into the message. Requires: a message without error.
ConsumedRecord record_of(const rd_kafka_message_t& message);

}  // namespace millrace::cli
