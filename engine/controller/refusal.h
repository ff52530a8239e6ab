// The answer to a question that was not decided: the same error for everything that was asked.
#pragma once

#include <string_view>

#include "engine/controller/controller_input.h"

namespace millrace::engine {

// Requires: the event is one that gets a reply.
ControllerReply refuse(const ControllerEvent& event, wire::ErrorCode error,
                       std::string_view message);

}  // namespace millrace::engine
