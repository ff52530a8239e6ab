// docs/protocol.md, written from the tables of APIs and errors.
#pragma once

#include <string>

namespace millrace::wire {

std::string protocol_reference();

}  // namespace millrace::wire
