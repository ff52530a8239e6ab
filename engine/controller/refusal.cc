#include "engine/controller/refusal.h"

#include <string>

namespace millrace::engine {
namespace {

struct Refuse {
  wire::ErrorCode error;
  std::string_view message;

  ControllerReply operator()(const Activate&) const {
    return OperationResult{error, std::string(message)};
  }
  ControllerReply operator()(const Tick&) const {
    return OperationResult{error, std::string(message)};
  }
  ControllerReply operator()(const UnregisterBroker&) const {
    return OperationResult{error, std::string(message)};
  }
  ControllerReply operator()(const AssignDirectories&) const {
    return OperationResult{error, std::string(message)};
  }
  ControllerReply operator()(const RegisterBroker&) const {
    return RegisterBrokerResult{.error = error, .message = std::string(message)};
  }
  ControllerReply operator()(const BrokerHeartbeat&) const {
    return BrokerHeartbeatResult{.error = error};
  }
  ControllerReply operator()(const AllocateProducerIds&) const {
    return ProducerIdBlock{.error = error};
  }
  ControllerReply operator()(const wire::CreateTopicsRequest* request) const {
    Reply<wire::CreateTopicsResponse> reply;
    for (const auto& topic : request->topics) {
      reply.response.topics.push_back({.name = reply.keep(topic.name),
                                       .error_code = error,
                                       .error_message = reply.keep(message)});
    }
    return reply;
  }
  ControllerReply operator()(const wire::DeleteTopicsRequest* request) const {
    Reply<wire::DeleteTopicsResponse> reply;
    const auto add = [&](std::optional<std::string_view> name, const Uuid& id) {
      if (name) name = reply.keep(*name);
      reply.response.responses.push_back({.name = name,
                                          .topic_id = id,
                                          .error_code = error,
                                          .error_message = reply.keep(message)});
    };
    for (const auto& topic : request->topics) add(topic.name, topic.topic_id);
    for (const std::string_view name : request->topic_names) add(name, {});
    return reply;
  }
  ControllerReply operator()(const wire::CreatePartitionsRequest* request) const {
    Reply<wire::CreatePartitionsResponse> reply;
    for (const auto& topic : request->topics) {
      reply.response.results.push_back({.name = reply.keep(topic.name),
                                        .error_code = error,
                                        .error_message = reply.keep(message)});
    }
    return reply;
  }
  template <class Request>
  ControllerReply resources(const Request& request) const {
    Reply<typename Request::Response> reply;
    for (const auto& resource : request.resources) {
      reply.response.responses.push_back({.error_code = error,
                                          .error_message = reply.keep(message),
                                          .resource_type = resource.resource_type,
                                          .resource_name = reply.keep(resource.resource_name)});
    }
    return reply;
  }
  ControllerReply operator()(const wire::IncrementalAlterConfigsRequest* request) const {
    return resources(*request);
  }
  ControllerReply operator()(const wire::AlterConfigsRequest* request) const {
    return resources(*request);
  }
  ControllerReply operator()(const wire::UpdateFeaturesRequest*) const {
    Reply<wire::UpdateFeaturesResponse> reply;
    reply.response.error_code = error;
    reply.response.error_message = reply.keep(message);
    return reply;
  }
};

}  // namespace

ControllerReply refuse(const ControllerEvent& event, wire::ErrorCode error,
                       std::string_view message) {
  return std::visit(Refuse{error, message}, event);
}

}  // namespace millrace::engine
