// Router: from an API key to its handler. What it serves is what ApiVersions advertises; nothing else is.
#pragma once

#include <span>
#include <string_view>

#include "engine/api/handlers.h"
#include "net/wire/api_key.h"
#include "net/wire/version.h"

namespace millrace::engine {

struct ServedApi {
  wire::ApiKey key;
  wire::VersionRange versions;
  Handler handler;
};

// In ascending order of key.
std::span<const ServedApi> served_apis();

// Answers one request. Never throws away a request silently: what cannot be answered closes the connection with a reason.
io::Task<net::Response> route(Broker& broker, BrokerShard& here, Request& request);

// KIP-511: what a client may call itself.
bool is_software_name(std::string_view name);

}  // namespace millrace::engine
