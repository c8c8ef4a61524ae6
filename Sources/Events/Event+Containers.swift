// SPDX-License-Identifier: Apache-2.0

extension Event {
    /// A container of the child was started.
    package struct ContainerStarted: Sendable, Equatable {
        package var link: Int
        package var generation: Int
        /// Its name.
        package var container: String
        /// As the command names it.
        package var image: String
        /// What that meant when it was started, `sha256:…`; empty when not known.
        package var imageID: String
        /// The same in the registry; empty for an image that comes from none.
        package var digest: String

        package init(
            link: Int,
            generation: Int,
            container: String,
            image: String,
            imageID: String,
            digest: String
        ) {
            self.link = link
            self.generation = generation
            self.container = container
            self.image = image
            self.imageID = imageID
            self.digest = digest
        }
    }
}
