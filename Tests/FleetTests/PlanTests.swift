// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Fleet

@Suite struct PlanTests {
    private let wanted = RenderedFile("/a", "new\n")

    private func plan(
        _ files: [RenderedFile],
        written: String? = nil,
        present: String?,
        overwrites: Bool = false
    ) -> Plan {
        var manifest = Manifest()
        if let written { manifest.digests["/a"] = sha256(written) }
        return Plan(files, manifest: manifest, overwrites: overwrites) { _ in present }
    }

    @Test(
        arguments: [
            (nil, nil, .create), (nil, "new\n", .leave), (nil, "other\n", .keepForeign),
            ("old\n", "old\n", .update), ("old\n", "edited\n", .keepEdited), ("old\n", "new\n", .leave),
            ("old\n", nil, .create),
        ] as [(String?, String?, Plan.Action)]
    )
    func whatIsDone(written: String?, present: String?, action: Plan.Action) {
        let plan = plan([wanted], written: written, present: present)
        #expect(plan.steps.map(\.action) == [action])
        let digests: [Plan.Action: String] = [
            .create: sha256("new\n"), .update: sha256("new\n"), .leave: sha256("new\n"), .keepEdited: sha256("old\n"),
        ]
        #expect(plan.manifest.digests["/a"] == digests[action])
    }

    @Test func forceReplacesWhatOthersWrote() {
        for written in [nil, "old\n"] {
            let plan = plan([wanted], written: written, present: "edited\n", overwrites: true)
            #expect(plan.steps.map(\.action) == [.update])
            #expect(plan.steps.map(\.replacesForeign) == [true])
        }
        #expect(plan([wanted], written: "old\n", present: "old\n").steps.map(\.replacesForeign) == [false])
    }

    @Test func whatIsNoLongerWantedGoes() {
        #expect(plan([], written: "old\n", present: "old\n").steps.map(\.action) == [.remove])
        #expect(plan([], written: "old\n", present: nil).steps.isEmpty)
        let edited = plan([], written: "old\n", present: "edited\n", overwrites: true)
        #expect(edited.steps.map(\.action) == [.keepEdited])
        #expect(edited.manifest.digests.isEmpty)
    }

    @Test func theManifestIsThatOfSha256sum() {
        let plan = plan([wanted], present: nil)
        #expect(plan.manifest.text == "\(sha256("new\n"))  /a\n")
        #expect(Manifest(plan.manifest.text) == plan.manifest)
        #expect(Manifest("nonsense\n\nabc  /b\n").digests.isEmpty)
    }

    @Test(arguments: [
        ("a\nb\nc\n", "a\nb\nc\n", ""),
        ("", "a\n", "@@ -0,0 +1,1 @@\n+a\n"),
        ("a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
        ("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nx\n6\n", "@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n+x\n 6\n"),
        (
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n",
            "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -6,4 +7,3 @@\n 6\n 7\n 8\n-9\n"
        ),
    ])
    func differences(old: String, new: String, diff: String) {
        #expect(unifiedDiff(old, new) == diff)
    }
}
