// Kafka's errors: code, name, whether a client may try again, and what we say to people about it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// clang-format off
// X(name, code, retriable, text)
#define MILLRACE_ERROR_CODES(X) \
  X(unknown_server_error, -1, false, "the broker failed in an unexpected way; its log says how") \
  X(none, 0, false, "") \
  X(offset_out_of_range, 1, false, "the offset lies outside of what the partition holds") \
  X(corrupt_message, 2, true, "the record batch is damaged: checksum, size or contents are wrong") \
  X(unknown_topic_or_partition, 3, true, "this broker does not host that topic or partition") \
  X(invalid_fetch_size, 4, false, "the fetch size is not valid") \
  X(leader_not_available, 5, true, "the partition has no leader yet; ask again") \
  X(not_leader_or_follower, 6, true, \
     "this broker does not lead the partition, or does not hold a replica of it; refresh the metadata") \
  X(request_timed_out, 7, true, "the request did not finish within its time") \
  X(broker_not_available, 8, false, "the broker is not available") \
  X(replica_not_available, 9, true, "the replica is not available on this broker") \
  X(message_too_large, 10, false, "the record batch is larger than max.message.bytes allows") \
  X(stale_controller_epoch, 11, false, "the controller moved to another broker") \
  X(offset_metadata_too_large, 12, false, "the metadata string of the offset commit is too long") \
  X(network_exception, 13, true, "the connection ended before the answer came") \
  X(coordinator_load_in_progress, 14, true, "the coordinator is still loading; ask again") \
  X(coordinator_not_available, 15, true, "the coordinator is not available; ask again") \
  X(not_coordinator, 16, true, "this broker is not the coordinator; find it again") \
  X(invalid_topic_exception, 17, false, "the topic name is not valid") \
  X(record_list_too_large, 18, false, "the record batch is larger than a segment may be") \
  X(not_enough_replicas, 19, true, \
     "fewer replicas are in sync than min.insync.replicas asks for; nothing was written") \
  X(not_enough_replicas_after_append, 20, true, \
     "written, but meanwhile fewer replicas are in sync than min.insync.replicas asks for") \
  X(invalid_required_acks, 21, false, "acks must be -1, 0 or 1") \
  X(illegal_generation, 22, false, "the generation of the group is over; join again") \
  X(inconsistent_group_protocol, 23, false, \
     "the member's protocols do not fit those of the group") \
  X(invalid_group_id, 24, false, "the group id is not valid") \
  X(unknown_member_id, 25, false, "the coordinator does not know this member; join again") \
  X(invalid_session_timeout, 26, false, \
     "the session timeout lies outside of group.min.session.timeout.ms and group.max.session.timeout.ms") \
  X(rebalance_in_progress, 27, false, "the group is rebalancing; join again") \
  X(invalid_commit_offset_size, 28, false, "the offset commit is too large") \
  X(topic_authorization_failed, 29, false, "not authorized for this topic") \
  X(group_authorization_failed, 30, false, "not authorized for this group") \
  X(cluster_authorization_failed, 31, false, "not authorized for this cluster operation") \
  X(invalid_timestamp, 32, false, "the timestamp lies outside of what the topic accepts") \
  X(unsupported_sasl_mechanism, 33, false, "this SASL mechanism is not enabled") \
  X(illegal_sasl_state, 34, false, "the request does not fit the state of the SASL exchange") \
  X(unsupported_version, 35, false, \
     "this version of the request is not served; ask with ApiVersions which are") \
  X(topic_already_exists, 36, false, "a topic of this name already exists") \
  X(invalid_partitions, 37, false, "the number of partitions is not valid") \
  X(invalid_replication_factor, 38, false, \
     "the replication factor is below 1 or above the number of usable brokers") \
  X(invalid_replica_assignment, 39, false, "the replica assignment is not valid") \
  X(invalid_config, 40, false, "the configuration is not valid") \
  X(not_controller, 41, true, "this broker is not the controller; refresh the metadata") \
  X(invalid_request, 42, false, \
     "the request is malformed or does not fit this broker; its log says more") \
  X(unsupported_for_message_format, 43, false, \
     "record batches of this old message format are not accepted; use format v2") \
  X(policy_violation, 44, false, "the cluster's policy does not allow this") \
  X(out_of_order_sequence_number, 45, false, \
     "a batch is missing before this one: its sequence number is too high") \
  X(duplicate_sequence_number, 46, false, "a batch with this sequence number was written before") \
  X(invalid_producer_epoch, 47, false, \
     "the producer's epoch is older than the one the broker knows") \
  X(invalid_txn_state, 48, false, "the operation does not fit the state of the transaction") \
  X(invalid_producer_id_mapping, 49, false, \
     "the producer id does not belong to this transactional id") \
  X(invalid_transaction_timeout, 50, false, \
     "the transaction timeout is above transaction.max.timeout.ms") \
  X(concurrent_transactions, 51, true, \
     "another operation on this transaction is still running; try again") \
  X(transaction_coordinator_fenced, 52, false, \
     "the sender is no longer the coordinator of this transaction") \
  X(transactional_id_authorization_failed, 53, false, "not authorized for this transactional id") \
  X(security_disabled, 54, false, "security features are disabled") \
  X(operation_not_attempted, 55, false, \
     "not attempted, because another part of the request failed") \
  X(kafka_storage_error, 56, true, "the disk under this partition failed or is full") \
  X(log_dir_not_found, 57, false, "the broker has no such log directory") \
  X(sasl_authentication_failed, 58, false, "authentication failed") \
  X(unknown_producer_id, 59, false, "the broker holds no state of this producer any more") \
  X(reassignment_in_progress, 60, false, "a reassignment of this partition is already running") \
  X(delegation_token_auth_disabled, 61, false, "delegation tokens are not enabled") \
  X(delegation_token_not_found, 62, false, "there is no such delegation token") \
  X(delegation_token_owner_mismatch, 63, false, \
     "only the owner or a renewer may do this to the token") \
  X(delegation_token_request_not_allowed, 64, false, \
     "delegation tokens cannot be asked for over this connection") \
  X(delegation_token_authorization_failed, 65, false, "not authorized for this delegation token") \
  X(delegation_token_expired, 66, false, "the delegation token has expired") \
  X(invalid_principal_type, 67, false, "this type of principal is not supported") \
  X(non_empty_group, 68, false, "the group still has members") \
  X(group_id_not_found, 69, false, "there is no group of this id") \
  X(fetch_session_id_not_found, 70, true, "the fetch session is gone; start a new one") \
  X(invalid_fetch_session_epoch, 71, true, "the epoch of the fetch session is not the next one") \
  X(listener_not_found, 72, true, "the leader has no listener of the name the request came in on") \
  X(topic_deletion_disabled, 73, false, "delete.topic.enable is off") \
  X(fenced_leader_epoch, 74, true, \
     "the leader epoch of the request is older than the broker's; refresh the metadata") \
  X(unknown_leader_epoch, 75, true, \
     "the leader epoch of the request is newer than the broker's; try again") \
  X(unsupported_compression_type, 76, false, "this client cannot read the topic's compression") \
  X(stale_broker_epoch, 77, false, "the broker registered again since this request was made") \
  X(offset_not_available, 78, true, \
     "the new leader does not know its high watermark yet; try again") \
  X(member_id_required, 79, false, "join again with the member id given in this answer") \
  X(preferred_leader_not_available, 80, true, "the preferred leader is not available") \
  X(group_max_size_reached, 81, false, "the group has as many members as it may have") \
  X(fenced_instance_id, 82, false, "another member took over this group.instance.id") \
  X(eligible_leaders_not_available, 83, true, "no eligible leader is available") \
  X(election_not_needed, 84, true, "the partition needs no election") \
  X(no_reassignment_in_progress, 85, false, "no reassignment of this partition is running") \
  X(group_subscribed_to_topic, 86, false, \
     "the group is subscribed to this topic; its offsets cannot be deleted") \
  X(invalid_record, 87, false, "a record failed validation; the whole batch was refused") \
  X(unstable_offset_commit, 88, true, "offsets of a transaction are still pending; try again") \
  X(throttling_quota_exceeded, 89, true, "over quota; slow down and try again") \
  X(producer_fenced, 90, false, "a newer producer with the same transactional id took over") \
  X(resource_not_found, 91, false, "there is no such resource") \
  X(duplicate_resource, 92, false, "the request names the same resource twice") \
  X(unacceptable_credential, 93, false, "the credential does not meet what is required") \
  X(inconsistent_voter_set, 94, false, "sender or receiver is not one of the expected voters") \
  X(invalid_update_version, 95, false, "the version to update to is not valid") \
  X(feature_update_failed, 96, false, "the features could not be updated") \
  X(principal_deserialization_failure, 97, false, "the forwarded principal could not be read") \
  X(snapshot_not_found, 98, false, "there is no such snapshot") \
  X(position_out_of_range, 99, false, "the position lies outside of the snapshot") \
  X(unknown_topic_id, 100, true, "this broker does not know that topic id; refresh the metadata") \
  X(duplicate_broker_registration, 101, false, \
     "a live broker has registered this node.id already") \
  X(broker_id_not_registered, 102, false, "no broker of this id is registered") \
  X(inconsistent_topic_id, 103, true, "the log belongs to another topic id; refresh the metadata") \
  X(inconsistent_cluster_id, 104, false, "the request is meant for another cluster") \
  X(transactional_id_not_found, 105, false, "there is no such transactional id") \
  X(fetch_session_topic_id_error, 106, true, \
     "the fetch session mixes requests with and without topic ids") \
  X(ineligible_replica, 107, false, "a replica proposed for the ISR may not join it") \
  X(new_leader_elected, 108, false, "the change was made and another leader elected") \
  X(offset_moved_to_tiered_storage, 109, false, "the offset has moved to tiered storage") \
  X(fenced_member_epoch, 110, false, \
     "the member's epoch is over; give up all partitions and join again") \
  X(unreleased_instance_id, 111, false, "the group.instance.id is still held by another member") \
  X(unsupported_assignor, 112, false, "the group does not support this assignor") \
  X(stale_member_epoch, 113, false, \
     "the member's epoch is old; take the new one from the next heartbeat") \
  X(mismatched_endpoint_type, 114, false, "the request reached an endpoint of another type") \
  X(unsupported_endpoint_type, 115, false, "this type of endpoint is not supported") \
  X(unknown_controller_id, 116, false, "there is no controller of this id") \
  X(unknown_subscription_id, 117, false, "the telemetry subscription is not valid any more") \
  X(telemetry_too_large, 118, false, "the telemetry is larger than accepted") \
  X(invalid_registration, 119, false, "the controller refuses the registration") \
  X(transaction_abortable, 120, false, "the transaction failed and can be aborted") \
  X(invalid_record_state, 121, false, "the record's state does not allow this acknowledgement") \
  X(share_session_not_found, 122, true, "the share session is gone; start a new one") \
  X(invalid_share_session_epoch, 123, true, "the epoch of the share session is not the next one") \
  X(fenced_state_epoch, 124, false, "the epoch of the share group's state is over") \
  X(invalid_voter_key, 125, false, "the voter's key is not the receiver's") \
  X(duplicate_voter, 126, false, "already a voter") \
  X(voter_not_found, 127, false, "not a voter") \
  X(invalid_regular_expression, 128, false, "the regular expression is not valid") \
  X(rebootstrap_required, 129, false, \
     "the client knows too little of the cluster; start again from bootstrap.servers") \
  X(streams_invalid_topology, 130, false, "the topology is not valid") \
  X(streams_invalid_topology_epoch, 131, false, "the topology's epoch is not valid") \
  X(streams_topology_fenced, 132, false, "the topology's epoch is over") \
  X(share_session_limit_reached, 133, true, "there are as many share sessions as there may be")
// clang-format on

namespace millrace::wire {

// What an answer carries. A peer may send codes that are not listed here.
enum class ErrorCode : std::int16_t {
#define MILLRACE_ERROR_ENUMERATOR(name, code, retriable, text) name = code,
  MILLRACE_ERROR_CODES(MILLRACE_ERROR_ENUMERATOR)
#undef MILLRACE_ERROR_ENUMERATOR
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  // Kafka's, in capitals
  bool retriable;
  std::string_view text;
};

// All errors, in ascending order of code.
std::span<const ErrorInfo> all_errors();
// UNKNOWN_SERVER_ERROR's row for a code that is not in the table.
const ErrorInfo& error_info(ErrorCode code);

inline std::string_view error_name(ErrorCode code) {
  return error_info(code).name;
}
inline std::string_view error_text(ErrorCode code) {
  return error_info(code).text;
}
inline bool is_retriable(ErrorCode code) {
  return error_info(code).retriable;
}

}  // namespace millrace::wire
