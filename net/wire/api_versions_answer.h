// The two rules of answering ApiVersions that its fields do not show.
#pragma once

#include <cstdint>

#include "net/wire/api_versions.h"

namespace millrace::wire {

// The answer to a version of ApiVersions that is not served. It is encoded as version 0, whatever
// was asked for, and names the versions of ApiVersions, so that the client can ask again.
ApiVersionsResponse unsupported_api_versions_answer();

// Versions 0 to 3 must not name a supported feature whose lowest version is 0: clients of that time
// take the answer for damaged. Removes those; version 4 may name them.
void omit_unsendable_features(ApiVersionsResponse& response, std::int16_t version);

}  // namespace millrace::wire
