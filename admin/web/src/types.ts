// The contracts' messages as /v1 writes them: lower camel case, 64-bit numbers as text, absent messages left out.

export type Role = 'STAFF_ROLE_VIEWER' | 'STAFF_ROLE_AGENT' | 'STAFF_ROLE_ADMIN';
export type Status = 'CONVERSATION_STATUS_ACTIVE' | 'CONVERSATION_STATUS_ARCHIVED' | 'CONVERSATION_STATUS_HUMAN_TAKEOVER';
export type Origin = 'REPLY_ORIGIN_UNSPECIFIED' | 'REPLY_ORIGIN_BOT' | 'REPLY_ORIGIN_GATE' | 'REPLY_ORIGIN_STAFF' | 'REPLY_ORIGIN_SERVICE';

export interface Staff {
  id: string; email: string; name: string; role: Role; disabled: boolean; onDuty: boolean; invited: boolean;
  createTime: string; lastLoginTime?: string; etag: string;
}
export interface Session { csrfToken: string; staff: Staff; expireTime: string }

export interface Conversation {
  id: string; contactId: string; numberId: string; phone: string; patientName: string; status: Status; assignedTo: string;
  takeoverReason: string; createTime: string; updateTime: string; etag: string; optedOut: boolean;
}
export interface InboxRow {
  conversation: Conversation; preview: string; previewReceived: boolean; previewOrigin: Origin; lastMessageTime?: string;
  unreadCount: number; waitingSince?: string; taskKind: string; taskPriority: string; holderIds: string[];
}
export interface Inbox {
  rows: InboxRow[]; nextPageToken: string; needsPersonCount: number; emergencyCount: number; mineCount: number;
}
export interface Verdict { family: string; severity: string; ruleId: string; tableVersion: string; language: string }
export interface Message {
  id: string; conversationId: string; sender: string; text: string; received: boolean; seq: string; createTime: string;
  origin: Origin; partState: string; verdict?: Verdict; staffId: string; source: string; failure: string;
}
export interface Task {
  id: string; kind: string; priority: string; state: string; conversationId: string; messageId: string; summary: string;
  detailCode: string; createTime: string; dueTime?: string; assigneeId: string; resolution: string; etag: string;
}
export interface Note { id: string; staffId: string; staffName: string; text: string; createTime: string }
export interface Holder { staffId: string; name: string; writing: boolean }
export interface DeskConversation {
  conversation: Conversation; numberName: string; canSend: boolean; language: string; takeoverTime?: string; blockTime?: string;
  firstContactTime?: string; otherConversationIds: string[]; patientId: string; tasks: Task[]; notes: Note[]; holders: Holder[];
  markedMessageIds: string[];
}
export interface MarkedAnswer { task: Task; question: string; answer: string; source: string; markedBy?: Staff }

export interface NumberInfo {
  id: string; name: string; phone: string; deviceJid: string; state: string; stateReason: string; stateTime?: string; retryTime?: string;
  sendState: string; sendStateEndTime?: string; enabled: boolean; botEnabled: boolean; ownerAlive: boolean; gatewayId: string;
  lastReceivedTime?: string; lastSentTime?: string; lastServerAckTime?: string; phoneSeenTime?: string; linkTime?: string;
  displayName: string; platform: string; etag: string;
}

export interface WeeklyRange { weekday: string; startMinute: number; endMinute: number; room?: string }
export interface Faq {
  key: string; question: string; alternatives: string[]; answer: string; category: string; language: string; source: string;
  revision?: string; updateTime?: string;
}
export interface Department {
  key: string; name: string; aliases: string[]; description: string; location: string; phone: string; hours: WeeklyRange[];
  hoursNote: string; revision?: string; updateTime?: string;
}
export interface Doctor {
  key: string; name: string; title: string; departmentKey: string; specialties: string[]; languages: string[];
  qualifications: string[]; roster: WeeklyRange[]; rosterNote: string; consultationFee: string; revision?: string; updateTime?: string;
}
export interface VisitingHours {
  key: string; area: string; aliases: string[]; hours: WeeklyRange[]; note: string; revision?: string; updateTime?: string;
}
export interface Hospital {
  name: string; timezone: string; defaultLanguage: string; languages: string[]; emergencyNumber: string; crisisLine: string;
  phone: string; email: string; website: string; address: string; emergencyAddress: string; deskHours: WeeklyRange[];
  holidays: { date: string; name: string }[]; allowedLinkHosts: string[]; insurers: string[]; personaName: string;
  personaStyle: string; about: string; revision?: string; updateTime?: string;
}
export interface KnowledgeChange {
  id: string; revision: string; changeTime: string; actor?: { kind: string; id: string }; kind: string; key: string; action: string;
  before: string; after: string;
}
export interface UsedFact { kind: string; key: string; title: string }
export interface Tried { text: string; source: string; facts: UsedFact[]; known: boolean; verdict?: Verdict }

export interface Counts {
  receivedMessages: string; botMessages: string; gateMessages: string; staffMessages: string; serviceMessages: string;
  activeConversations: string; newContacts: string; turns: string; turnsAnsweredAlone: string; turnsForStaff: string;
  turnsDegraded: string; handovers: string; emergencies: string; unansweredQuestions: string; deliveryFailures: string;
  deliveredParts: string; ratings: string; ratingSum: string;
}
export interface CountsReport { buckets: { startTime: string; counts: Counts }[]; total: Counts; completeTime?: string }
export interface Quantiles { stage: string; count: string; p50?: string; p95?: string; p99?: string }
export interface LatencyReport { buckets: { startTime: string; stages: Quantiles[] }[]; total: Quantiles[] }
export interface Breakdown { rows: { value: string; count: string }[]; otherCount: string }
export interface ModelUsage {
  models: { model: string; requests: string; failedRequests: string; inputTokens: string; cacheReadTokens: string;
    cacheWriteTokens: string; outputTokens: string; costMicroUsd: string }[];
}
export interface UnansweredQuestion { text: string; count: string; language: string; lastTime: string; lastConversationId: string }

export interface AuditRecord {
  id: string; sequence: string; createTime: string; actor: { kind: string; id: string; address: string }; action: string;
  resource: string; resourceId: string; contactId: string; outcome: string; detailCode: string; purpose: string; chainHash: string;
}
export interface Verified {
  checkedCount: string; done: boolean; valid: boolean; firstBadSequence: string; unsealedCount: string; lastSequence: string;
  lastChainHash: string; badCount: string; badSealTime?: string;
}
export interface ChangeEvent { resource: string; resourceId: string; conversationId: string; action: string; state: string }
