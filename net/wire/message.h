// What can be done with any message of the protocol. The bodies are instantiated once per message
// in net/wire/*.cc (see message_codec.h), so that including this costs nothing.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "net/wire/codec.h"

namespace millrace::wire {

// Reads a whole body. Text and bytes in the result point into `body`.
//
// Errors: unsupported (a version the message does not have), malformed (with the field's name): a
// length or count that is negative or exceeds the frame, null where the version has none, text that
// is not UTF-8, bytes left over. Never reads outside of `body`; allocates at most a small constant
// times its size (Reader::kAllocationFactor).
template <class T>
Result<T> decode(ConstBytes body, std::int16_t version);

// How many bytes encode() writes, without records that are elsewhere.
// Requires: T::kVersions contains `version`.
template <class T>
std::size_t encoded_size(const T& message, std::int16_t version);

// Writes the body. A field the version does not have is left out; null where the version has no
// null is written as empty.
//
// Requires: T::kVersions contains `version`; `out` has room; no records are elsewhere.
template <class T>
void encode(const T& message, std::int16_t version, Writer& out);

// The fields `version` has, as one line of JSON for logs and for output. Payloads are named by
// size.
template <class T>
std::string to_text(const T& message, std::int16_t version);

}  // namespace millrace::wire
