// The one place where the messages named here are compiled.
#include "net/wire/delete_groups.h"
#include "net/wire/describe_groups.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/heartbeat.h"
#include "net/wire/join_group.h"
#include "net/wire/leave_group.h"
#include "net/wire/list_groups.h"
#include "net/wire/message_codec.h"
#include "net/wire/sync_group.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(DeleteGroupsRequest);
MILLRACE_WIRE_INSTANTIATE(DeleteGroupsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeGroupsRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeGroupsResponse);
MILLRACE_WIRE_INSTANTIATE(FindCoordinatorRequest);
MILLRACE_WIRE_INSTANTIATE(FindCoordinatorResponse);
MILLRACE_WIRE_INSTANTIATE(HeartbeatRequest);
MILLRACE_WIRE_INSTANTIATE(HeartbeatResponse);
MILLRACE_WIRE_INSTANTIATE(JoinGroupRequest);
MILLRACE_WIRE_INSTANTIATE(JoinGroupResponse);
MILLRACE_WIRE_INSTANTIATE(LeaveGroupRequest);
MILLRACE_WIRE_INSTANTIATE(LeaveGroupResponse);
MILLRACE_WIRE_INSTANTIATE(ListGroupsRequest);
MILLRACE_WIRE_INSTANTIATE(ListGroupsResponse);
MILLRACE_WIRE_INSTANTIATE(SyncGroupRequest);
MILLRACE_WIRE_INSTANTIATE(SyncGroupResponse);

}  // namespace millrace::wire
