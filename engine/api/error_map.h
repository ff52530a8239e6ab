// The one table from Millrace's errors to Kafka's error codes.
#pragma once

#include "base/result.h"
#include "net/wire/error_code.h"

namespace millrace::engine {

// What a client is told about `code`.
wire::ErrorCode to_error_code(Errc code);

}  // namespace millrace::engine
